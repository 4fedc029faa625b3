"""Take the screenshots of the window for README and docs: ``python docs/make_screenshots.py``.

The script runs a job with the demonstration weights, or with the models of ``--checkpoints``, in a temporary folder. It
takes screenshots in both themes, during and after the job, and one with the eight steps numbered. Without a display,
use ``QT_QPA_PLATFORM=offscreen`` or ``xvfb-run``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from PIL import Image
from PyQt5.QtCore import QPoint, QRect, QSettings, Qt
from PyQt5.QtGui import QColor, QFont, QPainter, QPixmap
from PyQt5.QtWidgets import QApplication, QWidget

from core.paths import CHECKPOINTS
from gui.main_window import MainWindow
from gui.settings import Settings, save_settings

PICTURES: Final = Path(__file__).resolve().parent / "pictures"
_LONGEST_S: Final = 900
_LARGEST_BYTES: Final = 400_000
_STEPS: Final = (  # the widgets of each of the eight steps
    ("selectModelsButton",),
    ("selectOutputButton",),
    ("deviceCombo",),
    ("xaiModeButton", "xaiStepsSpin"),
    ("classCheck_MEL", "quantitySpin_VASC"),
    ("startButton",),
    ("stopButton", "regenerateButton"),
    ("projectTree", "classFolderList", "imageFileList"),
)


def main() -> int:
    """Take the screenshots."""
    parser = _parser()
    options = parser.parse_args()
    if options.checkpoints != CHECKPOINTS and not options.checkpoints.is_dir():
        parser.error(f"there is no folder {options.checkpoints}")
    QApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    application = QApplication(["isicgui"])
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="isicgui-pictures-") as folder:
        window = _window(options, Path(folder))
        for theme in ("light", "dark"):
            window.choose_theme(theme)
            window.jobs.start()
            _wait(application, lambda: _half_way(window))
            _take(window, options.folder / f"window_{theme}_running.png", keep=options.all)
            _wait(application, lambda: not window.controller.active)
            _choose_last_image(application, window)
            _take(window, options.folder / f"window_{theme}.png", keep=True)
            if theme == "light":
                _save(_numbered(window), options.folder / "eight_steps.png")
        window.explanations.cancel()  # otherwise closing would ask about a running explanation
        _wait(application, lambda: not window.explanations.busy)
        window.close()
        _wait(application, lambda: not window.isVisible())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Take the screenshots of the window for README and docs.")
    parser.add_argument(
        "--folder", type=Path, default=PICTURES, help="folder for the screenshots (default: docs/pictures)"
    )
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS, help="models folder")
    parser.add_argument("--steps", type=int, default=20, help="denoising steps (default: 20)")
    parser.add_argument("--size", default="1280x720", help="size of the window (default: 1280x720)")
    parser.add_argument("--xai", action="store_true", help="switch on XAI Mode (needs a classifier)")
    parser.add_argument("--all", action="store_true", help="also keep the screenshots taken during generation")
    return parser


def _window(options: argparse.Namespace, folder: Path) -> MainWindow:
    store = QSettings(str(folder / "settings.ini"), QSettings.IniFormat)
    settings = replace(
        Settings(),
        checkpoints=str(options.checkpoints),
        output=str(folder / "dataset"),
        quantities={"MEL": 4, "NV": 3, "BCC": 3, "AKIEC": 5, "BKL": 5, "DF": 4, "VASC": 2},
        chosen=["MEL", "NV", "BCC"],
        steps=options.steps,
        sampler="dpmpp",
        theme="light",
        xai_mode=options.xai,
    )
    save_settings(store, settings)
    window = MainWindow(store, folder / "xai_results")
    width, height = (int(number) for number in options.size.split("x"))
    window.resize(width, height)
    window.show()
    return window


def _half_way(window: MainWindow) -> bool:
    progress = window.controller.progress
    return progress is not None and progress.position > 0.55 * progress.total


def _choose_last_image(application: QApplication, window: MainWindow) -> None:
    browser = window.parts.browser
    _wait(application, lambda: browser.model.rowCount() > 0 and not window.keeper.busy)
    browser.images.setCurrentIndex(browser.model.index(browser.model.rowCount() - 1))
    _wait(application, lambda: not window.keeper.busy)
    _wait(application, _pause(0.3))


def _pause(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _wait(application: QApplication, until: Callable[[], bool]) -> None:
    end = time.monotonic() + _LONGEST_S
    while not until():
        if time.monotonic() > end:
            raise TimeoutError("The window did not reach this state within 15 minutes.")
        application.processEvents()
        time.sleep(0.005)


def _take(window: MainWindow, file: Path, *, keep: bool) -> None:
    if keep:
        _save(window.grab(), file)


def _numbered(window: MainWindow) -> QPixmap:
    """Return a screenshot with a numbered frame around the widgets of each of the eight steps."""
    picture = window.grab()
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setFont(QFont(painter.font().family(), 11, QFont.Bold))
    for number, names in enumerate(_STEPS, start=1):
        frame = QRect()
        for name in names:
            widget = window.findChild(QWidget, name)
            if widget is None:
                raise LookupError(f"the window has no {name}")
            frame = frame.united(QRect(widget.mapTo(window, QPoint(0, 0)), widget.size()))
        _frame(painter, frame.adjusted(-3, -3, 3, 3), number)
    painter.end()
    return picture


def _frame(painter: QPainter, frame: QRect, number: int) -> None:
    mark = QColor("#d6336c")
    painter.setPen(mark)
    painter.setBrush(Qt.NoBrush)
    painter.drawRoundedRect(frame, 5, 5)
    disc = QRect(0, 0, 22, 22)
    disc.moveCenter(QPoint(max(frame.left(), 12), max(frame.top(), 12)))
    painter.setBrush(mark)
    painter.drawEllipse(disc)
    painter.setPen(Qt.white)
    painter.drawText(disc, Qt.AlignCenter, str(number))


def _save(taken: QPixmap, file: Path) -> None:
    """Save a screenshot; use 256 colours if the file would be too large for a README."""
    if not taken.save(str(file)):
        raise OSError(f"{file} cannot be written.")
    with Image.open(file) as picture:
        small = picture.convert("RGB")
    small.save(file, optimize=True)
    if file.stat().st_size > _LARGEST_BYTES:
        small.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(file, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
