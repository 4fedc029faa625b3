"""Check file names from tables, archives, manifests and images, which may be malicious."""

from __future__ import annotations

import re
from typing import Final, TypeGuard

_NAME: Final = re.compile(r"\w[\w .+()-]{0,199}", re.ASCII)
_DEVICES: Final = re.compile(r"(?:CON|PRN|AUX|NUL|COM\d|LPT\d)(?:\..*)?", re.I)  # Windows opens these in any folder


def is_plain_name(name: object) -> TypeGuard[str]:
    """Check whether a value is the name of a file in a folder on every system, and of nothing outside that folder.

    Such a name has 1 to 200 of the ASCII letters, digits and ``_ .+()-``. It begins with a letter, a digit or an
    underscore, does not end with a dot or a space, and is not the name of a device of Windows. Every name from a table,
    an archive, a manifest or an image is checked here before a path is made of it.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return False
    return not name.endswith((".", " ")) and not _DEVICES.fullmatch(name)
