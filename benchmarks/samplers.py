"""Measure quality against seconds per image: samplers with several numbers of steps and degrees of reuse, same seeds.

    python -m benchmarks.samplers --real HAM10000_FOLDER --output runs/samplers --table docs/measurements/samplers.md

A set is generated for each combination and evaluated against the same real images; finished sets are kept. Seconds per
image are measured separately, in turn in one process, so sets can be generated over several days and on a busy machine.
Rows are ordered by seconds. A row is marked if no faster row has a lower KID.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.machine import describe_machine
from benchmarks.measure import add_processor_time, clock_of, in_turn
from core.classes import CLASSES
from core.errors import JobFailedError
from core.generation.events import JobFinished
from core.generation.job import GenerationJob
from core.generation.runner import run
from core.io.atomic_files import write_whole
from core.models.checkpoints import ModelCache
from core.models.devices import resolve_device
from core.paths import CHECKPOINTS
from core.presets import NO_REUSE, SAMPLERS, Preset
from core.report import Table
from core.report.document_markers import filled, marked_names
from evaluation.comparison import check_comparable, markdown, read_result
from evaluation.job import CACHE, EvaluationJob
from evaluation.progress import Event, Progress, result_of
from evaluation.report.writer import JSON_FILE, write_results
from evaluation.run import evaluate

STEPS = (10, 20, 50, 100)
MADE_FILE = "made.json"
TABLE = "samplers"
"""Name of the markers in a document that are filled (``core.report.document_markers``)."""


@dataclass(frozen=True)
class Row:
    """One sampler with one number of steps and one reuse."""

    how: Preset
    seconds: float
    result: dict[str, Any]

    @property
    def kid(self) -> dict[str, Any]:
        """The overall KID with the first features."""
        space = next(iter(self.result["features"]))
        of_space = [figure for figure in self.result["figures"] if figure["features"] == space]
        kids: list[dict[str, Any]] = [figure for figure in of_space if figure["metric"] == "kid"]
        return kids[0] if kids else {}


def generate_set(job: GenerationJob) -> None:
    """Generate a set unless it is finished.

    Raises:
        JobFailedError: an image could not be generated, or an earlier run was interrupted in this folder.
    """
    made = job.output / MADE_FILE
    if not made.is_file():
        *_, last = run(job)
        if not isinstance(last, JobFinished) or last.saved != job.total:
            raise JobFailedError(f"{job.output} is incomplete; remove it and start again.")
        write_whole(made, json.dumps({"images": last.saved}).encode())


def seconds_of(jobs: Mapping[str, GenerationJob], options: argparse.Namespace) -> dict[str, float]:
    """Seconds per image with the settings of each job, with the model in memory: the median of the repeats.

    A job of ``options.timed`` images of one class is timed.
    """
    cache = ModelCache()
    with tempfile.TemporaryDirectory(prefix="isicgui-benchmark-") as folder:

        def once(name: str, job: GenerationJob) -> None:
            counts = {next(iter(job.counts)): options.timed}
            deque(run(replace(job, counts=counts, output=Path(folder) / name), cache=cache), maxlen=0)

        runs = {name: partial(once, name, job) for name, job in jobs.items()}
        measured = in_turn(runs, options.repeats, clock_of(options))
    return {name: statistics.median(values) / options.timed for name, values in measured.items()}


def evaluate_set(job: EvaluationJob) -> dict[str, Any]:
    """Evaluate a set unless it is evaluated; return the content of its ``evaluation.json``."""
    if not (job.output / JSON_FILE).is_file():
        with tqdm(total=1.0, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}") as bar:

            def show(event: Event) -> None:
                if isinstance(event, Progress):
                    bar.set_description_str(event.doing)
                    bar.update(event.done / event.total - bar.n)

            write_results(result_of(evaluate(job), show))
    return read_result(job.output)


def table(rows: Sequence[Row]) -> Table:
    """The rows by seconds per image; each row with the lowest KID so far is marked."""
    ordered = sorted(rows, key=lambda row: row.seconds)
    judges = [found["judge"] for found in ordered[0].result["agreement"]]
    best, cells = float("inf"), []
    for row in ordered:
        kid = row.kid
        value = kid.get("value", float("inf"))
        marked, best = value < best, min(best, value)
        macros = {found["judge"]: found["macro"] for found in row.result["agreement"]}
        cells.append(
            (
                f"**{row.how.sampler}**" if marked else row.how.sampler,
                row.how.steps,
                row.how.reuse,
                f"{row.seconds:.2f}",
                f"{value:.4f} ± {kid['sd']:.4f}" if kid else None,
                kid.get("ratio_to_floor_95"),
                *(f"{100 * macros[judge]:.1f}%" for judge in judges),
                row.result["copies"]["copies"],
            )
        )
    agreements = [f"Agreement ({judge})" for judge in judges]
    columns = ("Sampler", "Steps", "Reuse", "Seconds per image", "KID", "KID ÷ floor", *agreements, "Copies")
    size = sum(ordered[0].result["set_images"].values())
    space = next(iter(ordered[0].result["features"].values()))
    caption = f"{size} images per row, same seeds. Features: {space}. Bold: no faster row has a lower KID."
    return Table(columns, cells, caption)


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate, evaluate, and write the table."""
    options = _parser().parse_args(arguments)
    counts = dict.fromkeys(options.classes.upper().split(","), options.images)
    hows = {_name(how): how for how in _settings(options)}
    jobs, results = {}, {}
    for name, how in hows.items():
        folder, checkpoints = options.output / name, options.checkpoints
        jobs[name] = GenerationJob(counts, checkpoints, folder / "images", device=options.device, **asdict(how))
        generate_set(jobs[name])
        settings = {"quick": options.quick, "checkpoints": checkpoints, "cache": options.cache}
        images = jobs[name].output
        evaluation = EvaluationJob(images, options.real, folder / "evaluation", **settings, device=options.device)
        results[name] = evaluate_set(evaluation)
        print(f"{name} is finished", flush=True)
    check_comparable(results)
    seconds = seconds_of(jobs, options)
    found = table([Row(how, seconds[name], results[name]) for name, how in hows.items()])
    machine = json.dumps(describe_machine(resolve_device(options.device)))
    what = "processor time" if options.processor_time else "elapsed time"
    text = (
        f"{markdown(found)}\nSeconds: {what}, median of {options.repeats} jobs of {options.timed} images. "
        f"Measured on: `{machine}`\n"
    )
    print(text)
    document = options.table.read_text(encoding="utf-8") if options.table.is_file() else ""
    write_whole(options.table, (filled(document, TABLE, text) if TABLE in marked_names(document) else text).encode())
    return 0


def _name(how: Preset) -> str:
    return f"{how.sampler}-{how.steps}" + (f"-reuse-{how.reuse}" if how.reuse != NO_REUSE else "")


def _settings(options: argparse.Namespace) -> list[Preset]:
    lists = (options.samplers.split(","), map(int, options.steps.split(",")), map(int, options.reuse.split(",")))
    return [Preset(*values) for values in product(*lists)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="real images, as for main.py evaluate")
    parser.add_argument("--output", type=Path, default=Path("runs/samplers"), help="folder for sets and evaluations")
    parser.add_argument(
        "--table",
        type=Path,
        required=True,
        help="Markdown file to write; if it has markers named samplers, only the text between them is replaced",
    )
    parser.add_argument("--classes", default=",".join(CLASSES))
    parser.add_argument("--images", type=int, default=50, help="images per class (default: %(default)s)")
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--steps", default=",".join(map(str, STEPS)))
    parser.add_argument("--reuse", default=str(NO_REUSE), help="reuse of deep features (default: %(default)s, none)")
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="fewer real images and repetitions")
    parser.add_argument("--timed", type=int, default=4, help="images per timed job (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="repeats of each timing, in turn (default: %(default)s)")
    add_processor_time(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
