"""Report the state of a checkpoints folder: which files exist, and whether they match the manifest."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

from core.classes import CLASSES
from core.download.content import check_content
from core.download.events import FileStatus
from core.download.manifest import Entry, read_manifest
from core.errors import CheckpointError
from core.io.atomic_files import sha256_of


def file_status(folder: Path, name: str, entry: Entry | None, *, thorough: bool = True) -> FileStatus:
    """Compare one file with its entry in the manifest.

    Args:
        thorough: also compute its SHA-256; otherwise compare only its size.
    """
    path = folder / name
    source = entry.source if entry else ""
    if not path.is_file():
        return FileStatus(name, "missing", 0, source, "the file does not exist")
    size = path.stat().st_size
    if entry is None or (entry.bytes is None and entry.sha256 is None):
        return FileStatus(name, "unrecorded", size, source)
    if entry.bytes is not None and size != entry.bytes:
        return FileStatus(name, "damaged", size, source, f"{size} bytes, but {entry.bytes} are recorded")
    if thorough and entry.sha256 is not None and sha256_of(path) != entry.sha256:
        return FileStatus(name, "damaged", size, source, "its SHA-256 differs from the recorded one")
    return FileStatus(name, "whole", size, source)


def folder_status(
    folder: Path, classes: Sequence[str] = CLASSES, *, thorough: bool
) -> Generator[FileStatus, None, None]:
    """Yield the state of the checkpoints of ``classes`` and of every other recorded file, without changing anything.

    Args:
        thorough: compute checksums and open each file, as ``--verify`` does; otherwise compare names and sizes only.
    """
    recorded = read_manifest(folder).files
    names = [f"unet_{name}_best.pth" for name in classes]
    others = sorted(name for name in recorded if not name.startswith("unet_"))
    for name in names + others:
        status = file_status(folder, name, recorded.get(name), thorough=thorough)
        yield _opened(folder, status) if thorough else status


def _opened(folder: Path, status: FileStatus) -> FileStatus:
    """Also open the file: a file without an entry may be damaged, and an entry may describe a damaged file."""
    if status.state in {"missing", "damaged"}:
        return status
    try:
        check_content(folder / status.name, status.name)
    except CheckpointError as error:
        return FileStatus(status.name, "damaged", status.bytes, status.source, str(error))
    return status
