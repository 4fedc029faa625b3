"""Remove temporary files and job folders of processes that were killed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PART: Final = re.compile(r".+\.(\d{1,10})\.part")
_JOB_PREFIX: Final = "isicgui-job-"
_JOB_FOLDER: Final = re.compile(rf"{_JOB_PREFIX}(\d{{1,10}})-.+")


def clear_parts(folder: Path) -> None:
    """Remove the temporary files of ``core.io.atomic_files`` whose processes are not running any more.

    A missing or unreadable folder is ignored, and so is a file that cannot be removed.
    """
    for entry in _abandoned(folder, _PART):
        with contextlib.suppress(OSError):
            Path(entry.path).unlink()


def new_job_folder() -> Path:
    """Create a temporary folder for one job, and remove those of processes that are not running any more.

    Raises:
        OSError: the disk is full, or there is no writable temporary folder.
    """
    with contextlib.suppress(OSError):  # Python has found no temporary folder: mkdtemp gives the reason
        for entry in _abandoned(Path(tempfile.gettempdir()), _JOB_FOLDER):
            shutil.rmtree(entry.path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_JOB_PREFIX}{os.getpid()}-"))


def _abandoned(folder: Path, name: re.Pattern[str]) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder whose name contains the number of a process that is not running."""
    import psutil  # noqa: PLC0415 - `--help` does not need it

    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in list(entries):
            found = name.fullmatch(entry.name)
            if found and not entry.is_symlink() and not psutil.pid_exists(int(found[1])):
                yield entry
