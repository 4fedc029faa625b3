"""Keep a file that is about to be replaced under another name, because it may be the user's own work."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Final

from core.generation.events import Notice

_OLD_SUFFIX: Final = ".bak"


def set_aside(path: Path, what_happens: str) -> Notice:
    """Rename a file to an unused name in the same folder.

    Args:
        path: the file.
        what_happens: the reason; the text after the file name in the notice.

    Raises:
        OSError: the folder is not writable, or another program has opened the file.
    """
    target = _free_name(path)
    path.rename(target)
    return Notice(f"{path.name} {what_happens}; the previous file is kept as {target.name}.")


def _free_name(path: Path) -> Path:
    endings = itertools.chain([_OLD_SUFFIX], (f".{number}{_OLD_SUFFIX}" for number in itertools.count(2)))
    # lexists: a broken link also has the name, and renaming would overwrite it.
    return next(path.with_name(path.name + ending) for ending in endings if not os.path.lexists(f"{path}{ending}"))
