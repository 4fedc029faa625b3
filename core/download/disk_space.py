"""Check the free disk space before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from core.errors import DownloadError

_MARGIN_BYTES: Final = 64 << 20  # other programs write too


def require_space(folder: Path, needed: int) -> None:
    """Check that ``needed`` more bytes fit on the disk.

    Raises:
        DownloadError: there is not enough free space.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if needed + _MARGIN_BYTES > free:
        raise DownloadError(
            f"{needed / 1e6:,.0f} MB are needed in {folder}, and {_MARGIN_BYTES / 1e6:,.0f} MB are kept free for other "
            f"programs, but only {free / 1e6:,.0f} MB are free: make room, or name a folder on another disk with "
            "--dest."
        )
