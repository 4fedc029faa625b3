"""Measure whether the cost per image grows with the number of images, in a whole job with a network without cost.

The program does everything else: numbers, noise, one step, PNG, row, events. Each figure is the seconds per image of a
part of the job, followed by the memory in use.

    python -m benchmarks.writing --images 10000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import psutil
import torch

from benchmarks.machine import describe_machine
from benchmarks.measure import add_options, clock_of, report
from core.generation.events import ImageSaved
from core.generation.job import GenerationJob
from core.generation.runner import run
from core.models.checkpoints import LoadedModel, ModelCache, read_checkpoint
from core.models.demo_set import unpack_demo_set


class StandIn:
    """Responds like a model, without computing."""

    dtype = torch.float32

    def __init__(self, size: int) -> None:
        self.config = {"sample_size": size}

    def __call__(self, noisy: torch.Tensor, _timestep: int, return_dict: bool = False) -> tuple[torch.Tensor]:  # noqa: ARG002
        """Return the input; ``return_dict`` must be false."""
        return (noisy,)


class StandInCache(ModelCache):
    """Returns a stand-in for every checkpoint."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def get(self, path: Path, device: torch.device, precision: str) -> LoadedModel:  # noqa: ARG002
        """The description of the checkpoint with the stand-in model."""
        return LoadedModel(cast(Any, StandIn(self.size)), read_checkpoint(path), "0" * 64, 0)


def write_images(
    folder: Path, images: int, parts: int, size: int, clock: Callable[[], float]
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Run the job; return the seconds per image of each part, and the memory in use at its end."""
    job = GenerationJob(
        {"NV": images}, folder / "checkpoints", folder / "output", steps=1, device="cpu", precision="fp32"
    )
    bounds = [images * part // parts for part in range(parts + 1)]
    moments, memory = [clock()], []
    for event in run(job, cache=StandInCache(size)):
        if isinstance(event, ImageSaved) and event.done in bounds:
            moments.append(clock())
            memory.append(psutil.Process().memory_info().rss)
    names = [f"images {first + 1:,} to {last:,}" for first, last in pairwise(bounds)]
    counts = [last - first for first, last in pairwise(bounds)]
    seconds = [after - before for before, after in pairwise(moments)]
    figures = {name: [taken / count] for name, taken, count in zip(names, seconds, counts, strict=True)}
    return figures, {name: f"{used / 2**20:.0f} MiB" for name, used in zip(names, memory, strict=True)}


def main() -> int:
    """Measure, print a table, and write the figures to the file of ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--parts", type=int, default=10, help="number of parts of the job that are timed separately")
    parser.add_argument("--size", type=int, default=128, help="pixels (default: %(default)s)")
    add_options(parser, repeats=1)
    options = parser.parse_args()
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="isicgui-benchmark-") as name:
        unpack_demo_set(Path(name) / "checkpoints")
        for _ in range(options.repeats):  # the same folder: a repeat continues after the images of the last one
            once, notes = write_images(Path(name), options.images, options.parts, options.size, clock_of(options))
            for part, values in once.items():
                figures.setdefault(part, []).extend(values)
    report(figures, describe_machine(torch.device("cpu")), options, "s per image", notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
