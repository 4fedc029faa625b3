"""``python -m evaluation JOB.json``: measure one set or compare several. Events go to stdout, one JSON object per line.

``core.process.runner`` describes the protocol.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.io.kept_results import keeping_results
from core.process.exit_codes import DONE, FAILED
from core.process.worker import run_job, tell
from evaluation.job import ComparisonJob, EvaluationJob, load_job

if TYPE_CHECKING:
    from evaluation.progress import T, Work


def main(arguments: list[str]) -> int:
    """Run the job file named by the only argument; return the exit code."""
    return run_job("evaluation", arguments, _run)


def _run(file: Path) -> int:
    job = load_job(file)
    tell("progress", done=0, total=1, doing="Loading")
    with keeping_results(job.output):
        return _compare(job) if isinstance(job, ComparisonJob) else _evaluate(job)


def _evaluate(job: EvaluationJob) -> int:
    from evaluation.report.summary import summarise
    from evaluation.report.writer import write_results
    from evaluation.run import evaluate

    evaluation = _run_and_emit(evaluate(job))
    files = write_results(evaluation)
    found = evaluation.copies
    copies = {"copies": len(found.copies), "suspicious": found.suspicious.hits, "images": found.suspicious.cases}
    tell("finished", main=str(files[0]), files=[str(file) for file in files], summary=summarise(evaluation), **copies)
    if job.fail_on_copies and found.is_evidence:
        problem = "Copies were found" if found.copies else "More images than chance explains are close to real images"
        tell(
            "error",
            text=f"{problem}: {len(found.copies)} of {found.suspicious.cases} images are copies and "
            f"{found.suspicious.hits} are suspiciously close to a real image; see {files[0]}.",
        )
        return FAILED
    return DONE


def _compare(job: ComparisonJob) -> int:
    from evaluation.comparison import compare

    files = _run_and_emit(compare(job))
    tell("finished", main=str(files[0]), files=[str(file) for file in files], summary=[files[-1].read_text("utf-8")])
    return DONE


def _run_and_emit(work: Work[T]) -> T:
    """Run work to its end, write its events to stdout, and return its result."""
    from evaluation.progress import Event, Progress, result_of

    def emit(event: Event) -> None:
        if isinstance(event, Progress):
            tell("progress", done=round(event.done, 4), total=event.total, doing=event.doing)
        else:
            tell("warning", text=event.text)

    return result_of(work, emit)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
