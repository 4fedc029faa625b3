"""Quality against seconds an image: samplers at several numbers of steps and degrees of reuse, on the same seeds.

    python -m benchmarks.samplers --real HAM10000_FOLDER --output runs/samplers --table docs/samplers_table.md

A set is generated for each sampler, number of steps and reuse and evaluated against the same real images; what is
finished is not done again. The rows are ordered by seconds an image; one is marked where no faster row has a lower KID.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tqdm import tqdm

from benchmarks.machine import describe_machine
from core.classes import CLASSES
from core.devices import resolve_device
from core.errors import JobFailedError
from core.events import JobFinished
from core.files import write_whole
from core.generation import run
from core.job import SAMPLERS, GenerationJob
from core.paths import CHECKPOINTS
from core.presets import NO_REUSE, Preset
from core.report import Table
from evaluation.comparison import check_comparable, markdown, read_result
from evaluation.job import CACHE, EvaluationJob
from evaluation.progress import Progress
from evaluation.report import JSON_FILE, write_results
from evaluation.run import evaluate

STEPS = (10, 20, 50, 100)
TIMES_FILE = "generation.json"


@dataclass(frozen=True)
class Row:
    """One sampler at one number of steps, with one reuse."""

    how: Preset
    seconds: float
    result: dict[str, Any]

    @property
    def kid(self) -> dict[str, Any]:
        """The overall KID in the first features."""
        space = next(iter(self.result["features"]))
        of_space = [figure for figure in self.result["figures"] if figure["features"] == space]
        kids: list[dict[str, Any]] = [figure for figure in of_space if figure["metric"] == "kid"]
        return kids[0] if kids else {}


def generate_set(job: GenerationJob) -> float:
    """Generate a set, or find it finished; returns seconds an image, loading of the models included.

    Raises:
        JobFailedError: an image could not be made.
    """
    times = job.output / TIMES_FILE
    if not times.is_file():
        *_, last = run(job)
        if not isinstance(last, JobFinished) or last.saved != job.total:
            raise JobFailedError(f"{job.output} is incomplete; remove it and start again.")
        write_whole(times, json.dumps({"images": last.saved, "seconds": last.seconds}).encode())
    values = json.loads(times.read_text())
    return float(values["seconds"] / values["images"])


def evaluate_set(job: EvaluationJob) -> dict[str, Any]:
    """Evaluate a set, or find it evaluated; returns the content of its ``evaluation.json``."""
    if not (job.output / JSON_FILE).is_file():
        work = evaluate(job)
        with tqdm(total=1.0, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}") as bar:
            while True:
                try:
                    told = next(work)
                except StopIteration as end:
                    write_results(end.value)
                    break
                if isinstance(told, Progress):
                    bar.set_description_str(told.doing)
                    bar.update(told.done / told.total - bar.n)
    return read_result(job.output)


def table(rows: Sequence[Row]) -> Table:
    """Rows by seconds an image; best so far in KID are marked."""
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
    columns = ("Sampler", "Steps", "Reuse", "Seconds an image", "KID", "KID ÷ floor", *agreements, "Copies")
    size = sum(ordered[0].result["set_images"].values())
    space = next(iter(ordered[0].result["features"].values()))
    caption = f"{size} images a row, the same seeds. Features: {space}. Bold: no faster row has a lower KID."
    return Table(columns, cells, caption)


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate, evaluate, and write the table."""
    options = _parser().parse_args(arguments)
    counts = dict.fromkeys(options.classes.upper().split(","), options.images)
    rows: dict[str, Row] = {}
    for how in _settings(options):
        name = f"{how.sampler}-{how.steps}" + (f"-reuse-{how.reuse}" if how.reuse != NO_REUSE else "")
        folder, checkpoints = options.output / name, options.checkpoints
        images = folder / "images"
        seconds = generate_set(GenerationJob(counts, checkpoints, images, device=options.device, **asdict(how)))
        settings = {"quick": options.quick, "checkpoints": checkpoints, "cache": options.cache}
        evaluation = EvaluationJob(images, options.real, folder / "evaluation", **settings, device=options.device)
        rows[name] = Row(how, seconds, evaluate_set(evaluation))
        print(f"{name}: {seconds:.2f} s an image, KID {rows[name].kid.get('value')}", flush=True)
    check_comparable({name: row.result for name, row in rows.items()})
    machine = json.dumps(describe_machine(resolve_device(options.device)))
    write_whole(options.table, f"{markdown(table(list(rows.values())))}\nMeasured on: `{machine}`\n".encode())
    print(options.table.read_text())
    return 0


def _settings(options: argparse.Namespace) -> list[Preset]:
    lists = (options.samplers.split(","), map(int, options.steps.split(",")), map(int, options.reuse.split(",")))
    return [Preset(*values) for values in product(*lists)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="real images, as for main.py evaluate")
    parser.add_argument("--output", type=Path, default=Path("runs/samplers"), help="folder for sets and evaluations")
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--classes", default=",".join(CLASSES))
    parser.add_argument("--images", type=int, default=50, help="of each class (default: %(default)s)")
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--steps", default=",".join(map(str, STEPS)))
    parser.add_argument("--reuse", default=str(NO_REUSE), help="of deep features (default: %(default)s, none)")
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="fewer real images and repetitions")
    return parser


if __name__ == "__main__":
    sys.exit(main())
