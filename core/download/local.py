"""Sources on this computer: a folder or a zip archive."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from zipfile import ZipFile, ZipInfo

from core.download.archive import DAMAGE, list_members, plain_name, unpack
from core.download.events import Meter
from core.download.fetch import Network
from core.download.http import SpoiledError
from core.download.manifest import (
    LARGEST_MANIFEST,
    MANIFEST,
    decode_manifest,
    is_manifest,
    parse_entries,
    read_manifest,
)
from core.download.offers import Item
from core.errors import DownloadError
from core.generation.events import Event
from core.io.atomic_files import open_new
from core.io.file_names import is_plain_name

_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class FolderSource:
    """A folder on this computer, such as a USB drive or a network share."""

    path: Path

    @property
    def label(self) -> str:
        """Return the path of the folder."""
        return str(self.path)

    def offer(self, staging: Path, network: Network) -> Generator[Event, None, list[Item]]:  # noqa: ARG002
        """List the files of the folder; a ``manifest.json`` in it gives their sizes and checksums."""
        yield from ()
        known = read_manifest(self.path).files
        items = []
        for file in sorted(self.path.iterdir()):
            if file.is_file() and is_plain_name(file.name) and not is_manifest(file.name):
                entry = known.get(file.name)
                size = file.stat().st_size
                items.append(Item(file.name, size, entry.sha256 if entry else None, _copier(file, size)))
        return items


@dataclass(frozen=True)
class ZipSource:
    """A zip archive on this computer."""

    path: Path

    @property
    def label(self) -> str:
        """Return the path of the archive."""
        return str(self.path)

    def offer(self, staging: Path, network: Network) -> Generator[Event, None, list[Item]]:  # noqa: ARG002
        """Check the archive and list its files."""
        yield from ()
        with self._refused_if_spoiled():
            return [self._guarded(item) for item in items_of_zip(self.path)]

    def _guarded(self, item: Item) -> Item:
        """Unpack a member; damage inside it is detected only here."""

        def deliver(target: Path) -> Iterator[Event]:
            with self._refused_if_spoiled():
                yield from item.deliver(target)

        return replace(item, deliver=deliver)

    @contextlib.contextmanager
    def _refused_if_spoiled(self) -> Iterator[None]:
        # Unlike a downloaded archive, this file belongs to the user and is not deleted.
        try:
            yield
        except SpoiledError as error:
            raise DownloadError(f"{self.path} cannot be unpacked: {error}; copy or download it again.") from error


def items_of_zip(path: Path) -> list[Item]:
    """List the files of an archive; a ``manifest.json`` in it gives their sizes and checksums.

    Raises:
        SpoiledError: the file is not a zip archive, or it is damaged.
        DownloadError: the archive is refused.
    """
    members = {plain_name(member): member for member in list_members(path)}
    notes = members.pop(MANIFEST, None)
    known = parse_entries(_read_json(path, notes), f"{MANIFEST} in the archive") if notes else {}
    return [
        Item(name, member.file_size, known[name].sha256 if name in known else None, _unpacker(path, member))
        for name, member in sorted(members.items())
        if is_plain_name(name) and not is_manifest(name)
    ]


def _read_json(path: Path, member: ZipInfo) -> object:
    if member.file_size > LARGEST_MANIFEST:
        raise DownloadError(f"The archive is refused: its {MANIFEST} has {member.file_size} bytes.")
    try:
        with ZipFile(path) as archive:
            return decode_manifest(archive.read(member))
    except (*DAMAGE, ValueError) as error:
        raise SpoiledError(f"{MANIFEST} is damaged in the archive") from error


def _copier(file: Path, size: int) -> Callable[[Path], Iterator[Event]]:
    def deliver(target: Path) -> Iterator[Event]:
        meter, done = Meter(file.name, "copy", size), 0
        with file.open("rb") as source, open_new(target) as copy:
            while block := source.read(_BLOCK_BYTES):
                copy.write(block)
                done += len(block)
                yield meter.progress(done)

    return deliver


def _unpacker(path: Path, member: ZipInfo) -> Callable[[Path], Iterator[Event]]:
    return lambda target: unpack(path, member, target)
