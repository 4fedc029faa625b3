"""List the output folder and the explanations for the browser. No widgets."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.models.conditions import LABELS

_IMAGE_NAME: Final = re.compile(r"ISIC_\d{7,12}\.png", re.ASCII)
_MOST_RESULTS: Final = 500


@dataclass(frozen=True)
class OutputListing:
    """The content of the folders at one time.

    Attributes:
        output: the output folder; it may not exist.
        images: sorted file names per class; classes without a folder are omitted.
        results: entries of the explanations folder, newest first.
        free: free bytes on the disk of the output folder; None if unknown.
    """

    output: Path
    images: dict[str, list[str]] = field(default_factory=dict)
    results: tuple[Path, ...] = ()
    free: int | None = None


def list_output(output: Path, results: Path) -> OutputListing:
    """List the folders. A folder that does not exist, or is deleted during the listing, counts as empty."""
    images = {name: names for name in (*CLASSES, *LABELS) if (names := _images_in(output / name)) is not None}
    return OutputListing(output, images, _results_in(results), _free(output))


def _images_in(folder: Path) -> list[str] | None:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _IMAGE_NAME.fullmatch(entry.name) and entry.is_file())
    except OSError:
        return None


def _results_in(folder: Path) -> tuple[Path, ...]:
    try:
        found = [(entry.stat().st_mtime, Path(entry.path)) for entry in os.scandir(folder)]
    except OSError:
        return ()
    return tuple(path for _, path in sorted(found, reverse=True)[:_MOST_RESULTS])


def _free(folder: Path) -> int | None:
    for existing in (folder, *folder.parents):
        try:
            return shutil.disk_usage(existing).free
        except OSError:
            continue
    return None
