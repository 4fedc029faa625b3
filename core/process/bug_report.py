"""Details for a bug report: versions, device and the last log messages, without the folders of any path."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from core import __version__
from core.paths import LOGS
from core.process.log_file import FILE_NAME

LINES: Final = 60
_PACKAGES: Final = ("torch", "torchvision", "diffusers", "numpy", "Pillow", "PyQt5")
_PREFIX: Final = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ [A-Z]+ \d+ [\w.]+: ")
_SEPARATOR: Final = r"[\\/](?=[^\s\\/])"
# An absolute path may hold any letter, spaces and punctuation too, so it is taken to reach to the last separator.
_ABSOLUTE: Final = re.compile(r"""(?<![^\s"'(\[{=:,;])(?:[A-Za-z]:|~)?[\\/].*""" + _SEPARATOR, re.ASCII)
_RELATIVE: Final = re.compile(r"^.*" + _SEPARATOR)


def bug_details(device: str, folder: Path = LOGS) -> str:
    """The details as plain text.

    Args:
        device: the device in use, as the window shows it.
        folder: the folder of the log.
    """
    versions = [f"ISICGUI {__version__}", f"Python {platform.python_version()}", platform.platform()]
    versions += [f"{name} {_version_of(name)}" for name in _PACKAGES]
    return "\n".join([*versions, f"Device: {device}", "", "Last log messages:", *last_messages(folder)]) + "\n"


def last_messages(folder: Path = LOGS, most: int = LINES) -> list[str]:
    """The last lines of the log, with every path reduced to its file name; none if there is no log."""
    try:
        lines = (folder / FILE_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [without_folders(line) for line in lines[-most:]]


def without_folders(line: str) -> str:
    """A log line without the folders of its paths, which may name patients.

    It removes too much rather than too little. Of an absolute path, everything from its start to the last separator
    of the line goes; if only a relative path is left, everything of the message before its last separator.
    """
    prefix = found.group() if (found := _PREFIX.match(line)) else ""
    message = _ABSOLUTE.sub("…/", line[len(prefix) :])
    head, mark, tail = message.partition("…/")
    return prefix + (_RELATIVE.sub("…/", head) + mark + _RELATIVE.sub("…/", tail))


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
