"""Common parts of all benchmarks: runs in turn, a table with spread and ratios, and figures in JSON files.

A *figure* is a name and its values in seconds (or another unit; less is better), one value per repeat.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch

Figures = Mapping[str, Sequence[float]]
_SIDE: Final = 1024  # of the square matrices whose product measures the machine
_PRODUCTS: Final = 4


def add_options(parser: argparse.ArgumentParser, repeats: int) -> None:
    """Add the options that all benchmarks have."""
    parser.add_argument(
        "--repeats", type=int, default=repeats, help="repeats of each run, in turn (default: %(default)s)"
    )
    parser.add_argument("--json", "--output", dest="json", type=Path, help="JSON file for the figures")
    parser.add_argument("--compare", type=Path, help="JSON file of an earlier run; print the change since then")
    add_processor_time(parser)


def add_processor_time(parser: argparse.ArgumentParser) -> None:
    """Add the option that selects the clock, see ``clock_of``."""
    parser.add_argument(
        "--processor-time", action="store_true", help="count processor time; use it on a shared processor"
    )


def clock_of(options: argparse.Namespace) -> Callable[[], float]:
    """The function that measures time: elapsed time, or processor time of this process and its finished children."""
    return processor_seconds if options.processor_time else time.perf_counter


def processor_seconds() -> float:
    """Processor time of this process and of its finished children; Windows does not count the children."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def in_turn(
    runs: Mapping[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each run, measured in turn. One warm-up of each comes first, unless ``repeats`` is 1."""
    for once in runs.values() if repeats > 1 else ():
        once()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, once in runs.items():
            started = clock()
            once()
            seconds[name].append(clock() - started)
    return seconds


def matrix_products(device: torch.device, dtype: torch.dtype) -> tuple[Callable[[], None], float]:
    """A run of matrix products, timed in turn with others to measure the machine, and its number of operations."""
    one, other = (torch.randn(_SIDE, _SIDE, device=device).to(dtype) for _ in range(2))

    def once() -> None:
        for _ in range(_PRODUCTS):
            torch.mm(one, other)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return once, _PRODUCTS * 2.0 * _SIDE**3


def report(
    figures: Figures,
    machine: Mapping[str, Any],
    options: argparse.Namespace,
    unit: str = "s",
    notes: Mapping[str, str] | None = None,
    ratios: bool = True,
) -> None:
    """Print the figures with ratios and the change since an earlier run, and write them to the file of ``--json``.

    Args:
        figures: the others are compared with the first one.
        machine: result of ``benchmarks.machine.describe_machine``.
        options: parsed options of ``add_options``.
        unit: unit of the values.
        notes: text to print after a figure, by its name.
        ratios: whether ratios of the figures are meaningful, because all measure the same task.
    """
    print(json.dumps(machine))
    print("processor time in seconds" if options.processor_time else "elapsed time in seconds")
    before = _figures_of(options.compare) if options.compare else {}
    reference = statistics.median(next(iter(figures.values())))
    for name, values in figures.items():
        middle = statistics.median(values)
        line = f"{name:28} {middle:9.4f} {unit} ({min(values):.4f} to {max(values):.4f})"
        if ratios:
            line += f" {reference / middle:6.2f}x"
        if before.get(name):
            line += f"  {100 * (middle / statistics.median(before[name]) - 1):+.0f}% since then"
        print(line, (notes or {}).get(name, ""), sep="  ")
    if options.json:
        settings = {key: str(value) for key, value in vars(options).items()}
        kept = {"machine": machine, "settings": settings, "unit": unit, "figures": figures, "notes": notes or {}}
        options.json.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _figures_of(file: Path) -> dict[str, list[float]]:
    """The figures in a file of ``--json``."""
    found: dict[str, list[float]] = json.loads(file.read_text(encoding="utf-8"))["figures"]
    return found
