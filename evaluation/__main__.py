"""``python -m evaluation JOB.json``: measure a set, or compare several; JSON lines on stdout.

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
    """Run the job that the one argument names; returns the exit code."""
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

    evaluation = _told(evaluate(job))
    files = write_results(evaluation)
    found = evaluation.copies
    copies = {"copies": len(found.copies), "suspicious": found.suspicious.hits, "images": found.suspicious.cases}
    tell("finished", main=str(files[0]), files=[str(file) for file in files], summary=summarise(evaluation), **copies)
    if job.fail_on_copies and found.accuses:
        what = "Copies were found" if found.copies else "More images than chance explains are near to real ones"
        tell(
            "error",
            text=f"{what}: {len(found.copies)} of {found.suspicious.cases} images beyond chance, "
            f"{found.suspicious.hits} suspiciously near to a real one; see {files[0]}.",
        )
        return FAILED
    return DONE


def _compare(job: ComparisonJob) -> int:
    from evaluation.comparison import compare

    files = _told(compare(job))
    tell("finished", main=str(files[0]), files=[str(file) for file in files], summary=[files[-1].read_text("utf-8")])
    return DONE


def _told(work: Work[T]) -> T:
    """Run work to its end and pass on what it tells."""
    from evaluation.progress import Progress, Told, result_of

    def pass_on(told: Told) -> None:
        if isinstance(told, Progress):
            tell("progress", done=round(told.done, 4), total=told.total, doing=told.doing)
        else:
            tell("warning", text=told.text)

    return result_of(work, pass_on)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
