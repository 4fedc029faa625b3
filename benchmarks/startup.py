"""Measure how long the program takes to respond: its help, its window, and the first image.

Each run is a fresh process. "after Start" begins when the window has already loaded torch, as it does in the
background, and ends with the first image on disk (demonstration model, 50 DDPM steps).

    python -m benchmarks.startup
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks.machine import describe_machine
from benchmarks.measure import add_options, clock_of, in_turn, report
from core.models.demo_set import unpack_demo_set
from core.paths import PROJECT_ROOT

WINDOW = """
import sys
from PyQt5.QtCore import QSettings
from PyQt5.QtWidgets import QApplication
application = QApplication([])
from gui.main_window import MainWindow
window = MainWindow(QSettings(sys.argv[1], QSettings.IniFormat))
window.show()
application.processEvents()
import os
sys.stdout.flush()
os._exit(0)  # do not measure what the window loads in the background
"""

AFTER_START = """
import sys, time, os
from pathlib import Path
from core.generation import runner
from core.generation.events import ImageSaved
from core.generation.job import GenerationJob
checkpoints, output, steps, computed = sys.argv[1:]
job = GenerationJob({"MEL": 1}, Path(checkpoints), Path(output), steps=int(steps), device="cpu")
clock = time.process_time if computed == "True" else time.perf_counter
started = clock()
for event in runner.run(job):
    if isinstance(event, ImageSaved):
        print(clock() - started)
"""


def process(*arguments: str) -> str:
    """Run Python with these arguments to its end; return its output."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def startup_runs(folder: Path, steps: int) -> dict[str, Callable[[], object]]:
    """Runs that are timed from the start of a process to its end."""
    main, checkpoints = str(PROJECT_ROOT / "main.py"), str(folder / "checkpoints")
    generate = ("generate", "--classes", "MEL=1", "--steps", str(steps), "--device", "cpu", "--json")
    return {
        "python, nothing loaded": partial(process, "-c", "pass"),
        "main.py --help": partial(process, main, "--help"),
        "window shown": partial(process, "-c", WINDOW, str(folder / "window.ini")),
        "main.py generate, 1 image": partial(
            process, main, *generate, "--checkpoints", checkpoints, "--output", str(folder / "output")
        ),
    }


def main() -> int:
    """Measure, print a table, and write the figures to the file of ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50, help="steps of the first image (default: %(default)s)")
    add_options(parser, repeats=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="isicgui-benchmark-") as name:
        folder = Path(name)
        unpack_demo_set(folder / "checkpoints")
        figures = in_turn(startup_runs(folder, options.steps), options.repeats, clock_of(options))
        folders = (str(folder / "checkpoints"), str(folder / "output"))
        settings = (str(options.steps), str(options.processor_time))
        figures["first image after Start"] = [
            float(process("-c", AFTER_START, *folders, *settings)) for _ in range(options.repeats)
        ]
    report(figures, describe_machine(torch.device("cpu")), options, ratios=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
