"""A file that has to give way, and may be the user's own work, is kept under another name."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Final

from core.generation.events import Notice

_OLD_SUFFIX: Final = ".bak"


def set_aside(path: Path, what_happens: str) -> Notice:
    """Rename a file to a name beside it that nothing has yet.

    Args:
        path: the file.
        what_happens: why, as the words that follow the file's name in the sentence for the user.

    Raises:
        OSError: the folder cannot be written, or another program holds the file open.
    """
    target = _free_name(path)
    path.rename(target)
    return Notice(f"{path.name} {what_happens}; what was there is kept as {target.name}.")


def _free_name(path: Path) -> Path:
    endings = itertools.chain([_OLD_SUFFIX], (f".{number}{_OLD_SUFFIX}" for number in itertools.count(2)))
    # lexists: a link that leads nowhere has the name as well, and renaming would overwrite it.
    return next(path.with_name(path.name + ending) for ending in endings if not os.path.lexists(f"{path}{ending}"))
