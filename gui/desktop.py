"""Open a file in the default program of the system, or show it in the file manager."""

from __future__ import annotations

import sys
from pathlib import Path

from PyQt5.QtCore import QProcess, QUrl
from PyQt5.QtGui import QDesktopServices


def open_path(path: Path) -> bool:
    """Open a file or folder in the default program of the system; return whether there is one."""
    return bool(QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))))


def show_in_file_manager(path: Path) -> bool:
    """Show a file in the file manager, selected if the system supports this."""
    if sys.platform == "win32":
        return bool(QProcess.startDetached("explorer.exe", ["/select,", str(path)])[0])
    if sys.platform == "darwin":
        return bool(QProcess.startDetached("open", ["-R", str(path)])[0])
    return open_path(path.parent)
