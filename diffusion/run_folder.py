"""The folder of a training run: checked before anything is written, and owned by one run at a time."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from core.errors import ArgumentError
from core.io.atomic_files import cannot_write, require_writable
from diffusion.state import STATE_FILE

LOCK_NAME: Final = ".training.lock"


def check_writable(folder: Path, option: str) -> None:
    """Refuse a folder that plainly cannot be written, without making it: what is refused later leaves nothing.

    Args:
        folder: there already, or to be made.
        option: of the command line, which names it.

    Raises:
        OutputFolderError: it is a file or lies in one, or may not be written.
    """
    whole = folder.absolute()
    existing = next((path for path in (whole, *whole.parents) if os.access(path, os.F_OK)), whole)
    code = errno.EACCES if existing.is_dir() else errno.ENOTDIR
    if code == errno.ENOTDIR or not os.access(existing, os.W_OK | os.X_OK):
        raise cannot_write(folder, OSError(code, os.strerror(code)), f"choose another with {option}")


def check_no_run(folder: Path) -> None:
    """Refuse the folder of an earlier run.

    Raises:
        ArgumentError: it holds a training state.
    """
    if (folder / STATE_FILE).is_file():
        raise ArgumentError(f"{folder} holds a training run; go on with it by --resume, or choose another --output.")


@contextlib.contextmanager
def own_run_folder(folder: Path, accelerator: Accelerator, goes_on: bool) -> Iterator[None]:
    """Make a run's folder, and own it until the block ends; a folder that is still empty then is taken away again.

    The processes of one run share its folder. The main one owns it for all of them, and all are refused together:
    one that went on alone would wait for the others for ever.

    Raises:
        ArgumentError: another run is writing into it, it cannot be written, or it holds a run that ``goes_on`` does
            not say to go on with.
    """
    lock = FileLock(folder / LOCK_NAME, timeout=0)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    refusal = [_refusal(folder, lock, goes_on) if accelerator.is_main_process else None]
    try:
        broadcast_object_list(refusal)
        if refusal[0]:
            raise ArgumentError(refusal[0])
        yield
    finally:
        if lock.is_locked:
            with contextlib.suppress(OSError):  # Windows removes it on release
                (folder / LOCK_NAME).unlink()
            lock.release()
        if accelerator.is_main_process:
            with contextlib.suppress(OSError):  # the first that is not empty ends it
                for path in made:
                    path.rmdir()


def _refusal(folder: Path, lock: FileLock, goes_on: bool) -> str | None:
    """Acquire the lock; says why the folder cannot be had."""
    try:
        require_writable(folder)
        lock.acquire()
        if not goes_on:
            check_no_run(folder)  # again: the other run may have ended just now
    except Timeout:
        return f"Another training run is writing into {folder}; wait until it has finished, or choose another --output."
    except OSError as error:
        return str(cannot_write(folder, error))
    except ArgumentError as error:
        return str(error)
    return None
