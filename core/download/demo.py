"""The bundled demonstration set, put into a checkpoints folder with the same care as a download."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Final

from core.classes import CLASSES
from core.download.content import opens
from core.download.events import DownloadFinished, Installed, Kept
from core.download.manifest import Entry, Manifest, read_manifest, write_manifest
from core.download.status import file_status
from core.errors import ArgumentError
from core.events import Event
from core.files import sha256_of

DEMO: Final = "demo"


def unpack_demo(folder: Path, *, force: bool = False) -> Generator[Event, None, None]:
    """Put the bundled set into a folder. What is there and opens stays; with ``force`` it is replaced.

    Raises:
        ArgumentError: the folder is a file; nothing was written.
        CheckpointError: the set cannot be written.
        OSError: a damaged file cannot be replaced.
    """
    from core.demo_set import bundled_companions, unpack_demo_set  # noqa: PLC0415 - loads torch

    if folder.exists() and not folder.is_dir():
        raise ArgumentError(f"{folder} is not a folder; name another one with --dest.")
    manifest = read_manifest(folder)
    names = [f"unet_{name}_best.pth" for name in CLASSES] + bundled_companions()
    kept = [path for path in map(folder.joinpath, names) if path.is_file() and not _drop(path, manifest, force)]
    written = unpack_demo_set(folder)
    for path in kept:
        yield Kept(path.name, "there already")
    for path in written:
        entry = Entry(path.name, path.stat().st_size, sha256_of(path), DEMO)
        manifest.files[path.name] = entry
        yield Installed(path.name, entry.bytes or 0, entry.sha256 or "")
    if written:
        write_manifest(folder, manifest)
    yield DownloadFinished(folder, len(written), len(kept))


def _drop(path: Path, manifest: Manifest, force: bool) -> bool:
    """Remove a file that the set replaces: any with ``force``, else one that is damaged."""
    entry = manifest.files.get(path.name)
    spoiled = (
        entry is not None and entry.source == DEMO and file_status(path.parent, path.name, entry).state == "damaged"
    )
    if force or spoiled or not opens(path):
        path.unlink()
        return True
    return False
