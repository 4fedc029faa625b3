"""The lock of a folder that programs write into: its owner is alone there.

One that was killed holds nothing, but where the system has no locks of files: there its lock is found to be dead later.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

LOCK_NAME: Final = ".isicgui.lock"
_MODE: Final = 0o666  # one user's lock file must not shut out the others of a shared folder
WAIT_S: Final = 60.0
"""Seconds to wait for an owner that needs a few: one that reads a file, changes it and writes it, or that unpacks."""


def folder_lock(folder: Path, wait_s: float = 0.0) -> FileLock:
    """The lock of a folder, to be acquired, or entered as a context. Its file stays: others may be waiting for it.

    Args:
        folder: it must be there by the time the lock is acquired.
        wait_s: how long acquiring it waits for its owner, in seconds; then ``filelock.Timeout``, an ``OSError``.
    """
    return FileLock(folder / LOCK_NAME, timeout=wait_s, mode=_MODE)


@contextlib.contextmanager
def taking_turns(folder: Path) -> Iterator[None]:
    """Be alone in a folder for a moment, to read, change and write there; another process that is, is waited for.

    Where no lock can be had, as on some network drives, the block runs without one: what it writes, it writes whole,
    and two at once are rare.

    Raises:
        filelock.Timeout: an ``OSError``; the owner did not let go within ``WAIT_S``.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(folder_lock(folder, WAIT_S))
        except Timeout:
            raise
        except OSError:
            pass  # if the folder itself is the reason, the block will say so
        yield
