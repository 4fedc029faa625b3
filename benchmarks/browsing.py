"""Measure how long a large folder keeps the window busy: reading it, showing it, and creating the visible thumbnails.

Reading runs in a thread, showing in the window: "shown" is the time in which the window does not respond. "in view"
ends when every visible image has its thumbnail.

    python -m benchmarks.browsing
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import torch
from PIL import Image
from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QApplication

from benchmarks.machine import describe_machine
from benchmarks.measure import add_options, clock_of, report
from gui.output_listing import OutputListing, list_output
from gui.tasks.browsing import Thumbnails
from gui.tasks.task import TaskKeeper
from gui.widgets.browser import Browser

_PATIENCE = 60.0  # seconds for the visible thumbnails
_SIZE = (420, 500)


def make_images(folder: Path, number: int) -> None:
    """Write ``number`` identical images of noise, 128 px."""
    folder.mkdir(parents=True)
    first = folder / "ISIC_0000001.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)).save(first)
    content = first.read_bytes()
    for index in range(2, number + 1):
        (folder / f"ISIC_{index:07d}.png").write_bytes(content)


class Session:
    """A browser; a new one is opened for every measurement."""

    def __init__(self, application: QApplication) -> None:
        self.application = application
        self.owner = QObject()
        self.keeper = TaskKeeper(self.owner)
        self.made = 0
        thumbnails = Thumbnails(self.keeper, 144, self.owner)
        thumbnails.made.connect(self._count)
        self.browser = Browser(thumbnails)
        self.browser.resize(*_SIZE)
        self.browser.show()
        application.processEvents()

    def _count(self) -> None:
        self.made += 1

    def show(self, listing: OutputListing) -> None:
        """Show a listing and let the window paint it."""
        self.browser.show_listing(listing, listing.output / "xai_results")
        self.application.processEvents()

    def wait_for_thumbnails(self) -> int:
        """Wait until no thumbnail is in progress; return the number of thumbnails.

        Raises:
            TimeoutError: the thumbnails take longer than a minute.
        """
        until = time.monotonic() + _PATIENCE
        while self.keeper.busy or not self.made:
            if time.monotonic() > until:
                raise TimeoutError(f"Only {self.made} thumbnails were created in {_PATIENCE:g} s.")
            self.application.processEvents()
        return self.made

    def close(self) -> None:
        """Stop all tasks and close the browser."""
        self.keeper.request_stop()
        while self.keeper.busy:
            self.application.processEvents()
        self.browser.close()


def main() -> int:
    """Measure, print a table, and write the figures to the file of ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 50_000])
    add_options(parser, repeats=5)
    options = parser.parse_args()
    application, clock = QApplication([]), clock_of(options)
    figures: dict[str, list[float]] = {}
    notes: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="isicgui-benchmark-") as name:
        for number in options.images:
            make_images(Path(name) / str(number) / "NV", number)
        for _ in range(options.repeats):
            for number in options.images:
                session = Session(application)
                moments = [clock()]
                listing = list_output(Path(name) / str(number), Path(name) / "xai_results")
                moments.append(clock())
                session.show(listing)
                moments.append(clock())
                made = session.wait_for_thumbnails()
                moments.append(clock())
                session.close()
                for what, before, after in zip(("read", "shown", "in view"), moments, moments[1:], strict=False):
                    figures.setdefault(f"{number:,} images {what}", []).append(after - before)
                notes[f"{number:,} images in view"] = f"{made} thumbnails"
    report(figures, describe_machine(torch.device("cpu")), options, notes=notes, ratios=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
