"""Clear what processes left behind that were killed while they wrote: parts of files, and folders of jobs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

_PART: Final = re.compile(r".+\.(\d{1,10})\.part")
_JOB_PREFIX: Final = "isicgui-job-"
_JOB_FOLDER: Final = re.compile(rf"{_JOB_PREFIX}(\d{{1,10}})-.+")


def clear_parts(folder: Path) -> None:
    """Remove the temporary files of ``core.io.atomic_files`` in a folder whose writers do not run any more.

    A folder that does not exist or cannot be read is left alone, and so is a file that cannot be removed.
    """
    for entry in _abandoned(folder, _PART):
        with contextlib.suppress(OSError):
            Path(entry.path).unlink()


def new_job_folder() -> Path:
    """A temporary folder for one job; those of processes that do not run any more are removed.

    Raises:
        OSError: there is no room, or no temporary folder that can be written.
    """
    with contextlib.suppress(OSError):  # Python has found no temporary folder: mkdtemp gives the reason
        for entry in _abandoned(Path(tempfile.gettempdir()), _JOB_FOLDER):
            shutil.rmtree(entry.path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_JOB_PREFIX}{os.getpid()}-"))


def _abandoned(folder: Path, name: re.Pattern[str]) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder under a name with the number of a process that does not run."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in list(entries):
            found = name.fullmatch(entry.name)
            if found and not entry.is_symlink() and not psutil.pid_exists(int(found[1])):
                yield entry
