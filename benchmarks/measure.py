"""What every benchmark shares: runs in turn, a table with spread and ratios, numbers kept as JSON and compared.

A benchmark makes *figures*: a name, and its values in seconds (or another unit, fewer is better), one of each repeat.
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
_SIDE: Final = 1024  # of the square matrices whose product is the machine's measure
_PRODUCTS: Final = 4


def add_options(parser: argparse.ArgumentParser, repeats: int) -> None:
    """The options that all benchmarks have."""
    parser.add_argument("--repeats", type=int, default=repeats, help="of each run, in turn (default: %(default)s)")
    parser.add_argument("--json", "--output", dest="json", type=Path, help="file to keep the numbers in")
    parser.add_argument("--compare", type=Path, help="such a file of an earlier run: print the change against it")
    add_processor_time(parser)


def add_processor_time(parser: argparse.ArgumentParser) -> None:
    """The option of which clock to go by, see ``clock_of``."""
    parser.add_argument(
        "--processor-time", action="store_true", help="count it instead of the clock's, on a processor that is shared"
    )


def clock_of(options: argparse.Namespace) -> Callable[[], float]:
    """Seconds of the clock, or those that this process and its finished children computed."""
    return processor_seconds if options.processor_time else time.perf_counter


def processor_seconds() -> float:
    """Seconds that this process and its finished children computed; Windows does not count the children."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def in_turn(
    runs: Mapping[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each run, one after the other in turn; after one warm-up each, unless each is to run only once."""
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
    """A run of matrix products, to be timed beside others as the machine's own measure; and its operations."""
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
    """Print the figures, with ratios and the change since an earlier run where asked for; keep them likewise.

    Args:
        figures: the first is what the others are compared with.
        machine: what ``benchmarks.machine.describe_machine`` says.
        options: of ``add_options``.
        unit: of the values.
        notes: what to print behind a figure, by its name.
        ratios: whether the figures are of the same thing, so that their ratios say something.
    """
    print(json.dumps(machine))
    print("seconds computed, not of the clock" if options.processor_time else "seconds of the clock")
    before = _figures_of(options.compare) if options.compare else {}
    reference = statistics.median(next(iter(figures.values())))
    for name, values in figures.items():
        middle = statistics.median(values)
        line = f"{name:28} {middle:9.4f} {unit} ({min(values):.4f} to {max(values):.4f})"
        if ratios:
            line += f" {reference / middle:6.2f}x"
        if before.get(name):
            line += f"  {100 * (middle / statistics.median(before[name]) - 1):+.0f}% since"
        print(line, (notes or {}).get(name, ""), sep="  ")
    if options.json:
        settings = {key: str(value) for key, value in vars(options).items()}
        kept = {"machine": machine, "settings": settings, "unit": unit, "figures": figures, "notes": notes or {}}
        options.json.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _figures_of(file: Path) -> dict[str, list[float]]:
    """The figures of a file that ``--json`` wrote."""
    found: dict[str, list[float]] = json.loads(file.read_text(encoding="utf-8"))["figures"]
    return found
