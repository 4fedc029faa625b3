"""Entry point of the window: ``run_window``, and a check for a display."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gui.main_window import MainWindow

_DISPLAY_VARIABLES: Final = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
NO_DISPLAY: Final = (
    "There is no display to open the window on; use the command line: python main.py generate --classes MEL=4"
)


def display_problem() -> str | None:
    """Return why the window cannot be opened, in one sentence; None if it can. Qt itself would abort the process."""
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in _DISPLAY_VARIABLES):
        return NO_DISPLAY
    return None


def run_window(arguments: Sequence[str]) -> int:
    """Open the window and return when it is closed.

    Args:
        arguments: command-line arguments without the program name; Qt uses its own options among them.

    Returns:
        The exit code: 0, or 1 if there is no display.
    """
    problem = display_problem()
    if problem:
        sys.stderr.write(f"error: {problem}\n")
        return 1
    import PyQt5
    from PyQt5.QtCore import QCoreApplication, Qt
    from PyQt5.QtWidgets import QApplication

    QApplication.setAttribute(Qt.AA_EnableHighDpiScaling)
    QApplication.setAttribute(Qt.AA_UseHighDpiPixmaps)
    QApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    # Qt decodes the path of its plugins with the system encoding, which fails for a folder with Cyrillic letters.
    # A path set from Python works.
    QCoreApplication.addLibraryPath(str(Path(PyQt5.__file__).parent / "Qt5" / "plugins"))
    application = QApplication(["isicgui", *arguments])
    application.setApplicationName("ISICGUI")
    from gui.main_window import MainWindow

    window = MainWindow()
    _keep_errors_in_the_window(window)
    signal.signal(signal.SIGINT, lambda *_: window.close())  # Ctrl-C acts like the close button of the window
    window.show()
    return int(application.exec_())


def _keep_errors_in_the_window(window: MainWindow) -> None:
    """Report an exception in a slot. Without this hook, PyQt5 would abort the process and the running job."""

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        window.parts.log.add("error", "".join(traceback.format_exception(kind, error, trace)))
        window.show_error(f"An unexpected error occurred ({kind.__name__}: {error}). The log has the details.")

    sys.excepthook = show
