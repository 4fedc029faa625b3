"""Does the cost of an image grow with their number? A whole job whose network is replaced by one that costs nothing.

Everything else is the program's own: numbers, noise, one step, PNG, row, events. Each figure is the seconds an image
of a part of the job; memory stands behind it.

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
    """Answers as a model does, at once."""

    dtype = torch.float32

    def __init__(self, size: int) -> None:
        self.config = {"sample_size": size}

    def __call__(self, noisy: torch.Tensor, _timestep: int, return_dict: bool = False) -> tuple[torch.Tensor]:  # noqa: ARG002
        """What was asked is the answer; ``return_dict`` must be false."""
        return (noisy,)


class StandInCache(ModelCache):
    """Gives out a stand-in for every checkpoint."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def get(self, path: Path, device: torch.device, precision: str) -> LoadedModel:  # noqa: ARG002
        """The checkpoint's description with another model."""
        return LoadedModel(cast(Any, StandIn(self.size)), read_checkpoint(path), "0" * 64, 0)


def write_images(
    folder: Path, images: int, parts: int, size: int, clock: Callable[[], float]
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Run the job; returns the seconds an image of each part, and the memory in use at its end."""
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
    """Measure, print a table, and keep the numbers where ``--json`` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--parts", type=int, default=10, help="of the job, each timed for itself")
    parser.add_argument("--size", type=int, default=128, help="pixels (default: %(default)s)")
    add_options(parser, repeats=1)
    options = parser.parse_args()
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="isicgui-benchmark-") as name:
        unpack_demo_set(Path(name) / "checkpoints")
        for _ in range(options.repeats):  # into the same folder: a repeat goes on after the images of the last one
            once, notes = write_images(Path(name), options.images, options.parts, options.size, clock_of(options))
            for part, values in once.items():
                figures.setdefault(part, []).extend(values)
    report(figures, describe_machine(torch.device("cpu")), options, "s an image", notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
