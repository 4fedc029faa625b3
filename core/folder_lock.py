"""The lock of a folder that programs write into: its owner is alone there, and one that was killed holds nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from filelock import FileLock

LOCK_NAME: Final = ".isicgui.lock"
WAIT_S: Final = 60.0
"""Seconds to wait for an owner that needs a few: one that reads a file, changes it and writes it, or that unpacks."""


def folder_lock(folder: Path, wait_s: float = 0.0) -> FileLock:
    """The lock of a folder, to be acquired, or entered as a context. Its file stays: others may be waiting for it.

    Args:
        folder: it must be there by the time the lock is acquired.
        wait_s: how long acquiring it waits for its owner, in seconds; then ``filelock.Timeout``, an ``OSError``.
    """
    return FileLock(folder / LOCK_NAME, timeout=wait_s)
