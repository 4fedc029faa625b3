"""Unpack the bundled demonstration set into a checkpoints folder, with the same checks as a download."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from core.download.archive import own_checksums_hold
from core.download.backup import set_aside
from core.download.content import is_demonstration, opens
from core.download.events import DownloadFinished, FileStatus, Installed, Kept
from core.download.manifest import Entry, changing_manifest, read_manifest
from core.download.status import file_status
from core.errors import ArgumentError
from core.generation.events import Event
from core.io.atomic_files import sha256_of
from core.io.folder_lock import taking_turns
from core.io.leftovers import clear_parts

DEMO: Final = "demo"


def unpack_demo(folder: Path, *, force: bool = False) -> Generator[Event, None, None]:
    """Unpack the bundled set into a folder. Keep existing valid files, unless ``force`` is set.

    A replaced file is deleted only if it can be unpacked or downloaded again. Any other file is kept under a new name.

    Raises:
        ArgumentError: the folder is a file; nothing was written.
        CheckpointError: the set cannot be written.
        OSError: a damaged file cannot be replaced, or the manifest cannot be written.
    """
    from core.models.demo_set import bundled_names, unpack_demo_set  # noqa: PLC0415 - loads torch

    if folder.exists() and not folder.is_dir():
        raise ArgumentError(f"{folder} is not a folder; name another one with --dest.")
    if folder.is_dir():
        with taking_turns(folder):  # who keeps the folder for himself is found out before anything gives way
            clear_parts(folder)
    recorded, kept, disowned = read_manifest(folder).files, [], []
    for path in filter(Path.is_file, map(folder.joinpath, bundled_names())):
        status = file_status(folder, path.name, recorded.get(path.name))
        if not force and opens(path) and not _is_changed(status):
            kept.append(Kept(path.name, "already present"))
        elif not force and opens(path) and own_checksums_hold(path):
            # The user replaced the recorded file on purpose, so it is no longer recorded and not reported as damaged.
            disowned.append(path.name)
            kept.append(Kept(path.name, "it is not part of the demonstration set; use --force to replace it"))
        else:
            yield from _clear(path, status)
    written = unpack_demo_set(folder)
    yield from kept
    entries = {path.name: Entry(path.name, path.stat().st_size, sha256_of(path), DEMO) for path in written}
    for name, entry in entries.items():
        yield Installed(name, entry.bytes or 0, entry.sha256 or "")
    if entries or disowned:
        with changing_manifest(folder) as manifest:
            for name in disowned:
                manifest.files.pop(name, None)
            manifest.files |= entries
    yield DownloadFinished(folder, len(written), len(kept))


def _is_changed(status: FileStatus) -> bool:
    """Check whether a file differs from the one that was unpacked under its name."""
    return status.source == DEMO and status.state == "damaged"


def _clear(path: Path, status: FileStatus) -> Iterator[Event]:
    """Free a file name for a file of the set."""
    bundled = status.state == "unrecorded" and opens(path) and is_demonstration(path)
    if bundled or status.state == "whole":
        path.unlink()
    else:
        yield set_aside(path, "is replaced by the demonstration set")
