"""Lock a folder so that only one process writes into it.

The lock of a killed process is released by the system. On a system without file locks, the next process detects that
the lock is stale.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

LOCK_NAME: Final = ".isicgui.lock"
_MODE: Final = 0o666  # the lock file of one user must not block other users of a shared folder
WAIT_S: Final = 60.0
"""Seconds to wait for an owner that holds the lock briefly, to update a file or to unpack an archive."""


def folder_lock(folder: Path, wait_s: float = 0.0) -> FileLock:
    """Return the lock of a folder, a context manager. Its file is never deleted: others may be waiting for it.

    Args:
        folder: the folder; it must exist when the lock is acquired.
        wait_s: seconds to wait for the current owner; then acquiring raises ``filelock.Timeout``, an ``OSError``.
    """
    return FileLock(folder / LOCK_NAME, timeout=wait_s, mode=_MODE)


@contextlib.contextmanager
def taking_turns(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder while the block reads, changes and writes files there.

    If the folder cannot be locked, as on some network drives, the block runs without a lock: files are written
    atomically, and simultaneous changes are rare.

    Raises:
        filelock.Timeout: an ``OSError``; the owner did not release the lock within ``WAIT_S``.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(folder_lock(folder, WAIT_S))
        except Timeout:
            raise
        except OSError:
            pass  # if the folder itself is the reason, the block raises the error
        yield
