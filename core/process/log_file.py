"""The log of the program: a rotating file in the logs folder, and stderr with ``--verbose``. It stays on this machine.

The modules log to ``logging.getLogger(__name__)``; only the entry points of the program open the file. Several
processes may write to it at once: the window, its headless processes, a command.
"""

from __future__ import annotations

import contextlib
import logging
import platform
import sys
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from core import __version__
from core.io.plain_text import printable
from core.paths import LOGS

FILE_NAME: Final = "isicgui.log"
LARGEST: Final = 1_000_000
"""Bytes of one file; with the backups, the log takes at most four times as much."""
BACKUPS: Final = 3
PACKAGES: Final = frozenset(
    {"classification", "cli", "core", "diffusion", "download_models", "evaluation", "gui", "isicgui", "xai"}
)
_FILE_FORMAT: Final = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def log_file(program: str, *, verbose: bool = False, folder: Path = LOGS) -> Iterator[None]:
    """Write the log of this process in the block; an unexpected error is logged with its traceback and raised again.

    A folder that cannot be written means no log file; the work does not depend on it.

    Args:
        program: the command, for the first line.
        verbose: log every step, to stderr too.
        folder: the folder of the log.
    """
    root = logging.getLogger()
    before, handlers = root.level, _handlers(folder, verbose=verbose)
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for handler in handlers:
        handler.addFilter(_is_wanted)
        root.addHandler(handler)
    try:
        _log.info("%s: ISICGUI %s, Python %s, %s", program, __version__, platform.python_version(), platform.platform())
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException:
        _log.critical("Unexpected error", exc_info=True)
        raise
    finally:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def _handlers(folder: Path, *, verbose: bool) -> list[logging.Handler]:
    handlers: list[logging.Handler] = [logging.NullHandler()]  # else logging itself writes warnings to stderr
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handlers.append(_File(folder / FILE_NAME, maxBytes=LARGEST, backupCount=BACKUPS, encoding="utf-8"))
        handlers[-1].setFormatter(_Printable(_FILE_FORMAT))
    if verbose and sys.stderr is not None:  # pythonw has none
        handlers.append(logging.StreamHandler(sys.stderr))
        handlers[-1].setFormatter(_Printable("%(levelname)s %(name)s: %(message)s"))
    return handlers


def _is_wanted(record: logging.LogRecord) -> bool:
    """Whether a message is logged: everything of this program, and the warnings of the libraries."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in PACKAGES


class _Printable(logging.Formatter):
    """Writes what would control a terminal, as a file name can, as an escape."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record), keep="\n")


class _File(RotatingFileHandler):
    """A log that never disturbs the work: neither a full disk nor a file that another process holds open."""

    def doRollover(self) -> None:  # noqa: N802 - the name of logging
        """Start a new file; if Windows refuses because another process has the log open, continue the old one."""
        try:
            super().doRollover()
        except OSError:
            self.maxBytes = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as of logging
        """Drop a message that cannot be written; logging would print a traceback to stderr."""
