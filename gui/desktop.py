"""What the system's own programs do for the window: open a file, show it in the file manager."""

from __future__ import annotations

import sys
from pathlib import Path

from PyQt5.QtCore import QProcess, QUrl
from PyQt5.QtGui import QDesktopServices


def open_path(path: Path) -> bool:
    """Open a file or folder in the program that the system has for it; whether there was one."""
    return bool(QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))))


def show_in_file_manager(path: Path) -> bool:
    """Show a file in its folder, selected where the system can do that."""
    if sys.platform == "win32":
        return bool(QProcess.startDetached("explorer.exe", ["/select,", str(path)])[0])
    if sys.platform == "darwin":
        return bool(QProcess.startDetached("open", ["-R", str(path)])[0])
    return open_path(path.parent)
