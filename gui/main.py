"""The entry to the window: ``run_window``, and whether there is a display to open it on."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from core.process.log_file import log_file

if TYPE_CHECKING:
    from gui.main_window import MainWindow

_DISPLAY_VARIABLES: Final = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
NO_DISPLAY: Final = (
    "There is no display to open the window on; generate without it: python main.py generate --classes MEL=4"
)


def display_problem() -> str | None:
    """Why the window cannot be opened here, in one sentence; None when it can. Qt itself would end the process."""
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in _DISPLAY_VARIABLES):
        return NO_DISPLAY
    return None


def run_window(arguments: Sequence[str], *, verbose: bool = False) -> int:
    """Open the window and stay until it is closed.

    Args:
        arguments: of the command line, without the program's name; Qt takes its own from them.
        verbose: log every step, to stderr too.

    Returns:
        The exit code: 0, or 1 where there is no display.
    """
    problem = display_problem()
    if problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    with log_file("window", verbose=verbose):
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    import PyQt5
    from PyQt5.QtCore import QCoreApplication, Qt
    from PyQt5.QtWidgets import QApplication

    QApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    QApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    # Qt finds its plugins by a path that it reads in the system's encoding, and so not below a folder with Cyrillic
    # letters in its name; told by Python, it does.
    QCoreApplication.addLibraryPath(str(Path(PyQt5.__file__).parent / "Qt5" / "plugins"))
    application = QApplication(["isicgui", *arguments])
    application.setApplicationName("ISICGUI")
    from gui.main_window import MainWindow

    window = MainWindow()
    _keep_errors_in_the_window(window)
    signal.signal(signal.SIGINT, lambda *_: window.close())  # Ctrl-C asks like the window's own close button
    window.show()
    return int(application.exec_())


def _keep_errors_in_the_window(window: MainWindow) -> None:
    """A mistake in a slot would make PyQt5 abort the process, and a job with it; say it instead."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        window.parts.log.add("error", "".join(traceback.format_exception(kind, error, trace)))
        window.show_error(f"Something unexpected went wrong ({kind.__name__}: {error}). The log has the details.")

    sys.excepthook = show
