"""Sources on the web: a zip archive, also on Google Drive, or a ``manifest.json`` with files in the same folder."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urljoin

import requests

from core.download import drive
from core.download.archive import list_members, plain_name
from core.download.content import class_of
from core.download.fetch import Network, Wanted, fetch
from core.download.http import SpoiledError, is_safe, refuse_offline, without_secrets
from core.download.local import items_of_zip
from core.download.manifest import LARGEST_MANIFEST, MANIFEST, Entry, decode_manifest, is_manifest, parse_entries
from core.download.offers import Item
from core.errors import DownloadError
from core.generation.events import Event

_ARCHIVE: Final = "archive.zip"
_LISTING: Final = "listing.json"


def _check_archive(path: Path) -> None:
    if not any(class_of(plain_name(member)) for member in list_members(path)):
        raise DownloadError("The archive contains no unet_<CLASS>_best.pth; check that it is the right archive.")


def _archive_items(
    label: str, locate: Callable[[requests.Session], str], staging: Path, network: Network
) -> Generator[Event, None, list[Item]]:
    """Download an archive, unless an earlier run has downloaded it without unpacking it, and check it."""
    archive = staging / _ARCHIVE
    refuse_offline(label)
    yield from fetch(Wanted(_ARCHIVE, label, locate, check=_check_archive), archive, network)
    try:
        return [_dropping_if_spoiled(item, archive) for item in items_of_zip(archive)]
    except SpoiledError as error:
        archive.unlink()
        raise DownloadError(f"The archive is damaged and was deleted ({error}): run the same command again.") from error


def _dropping_if_spoiled(item: Item, archive: Path) -> Item:
    def deliver(target: Path) -> Iterator[Event]:
        try:
            yield from item.deliver(target)
        except SpoiledError as error:
            archive.unlink()
            raise DownloadError(
                f"The archive is damaged and was deleted: {error}; run the same command to download it again."
            ) from error

    return Item(item.name, item.bytes, item.sha256, deliver)


@dataclass(frozen=True)
class WebZipSource:
    """A zip archive at an https address."""

    url: str

    @property
    def label(self) -> str:
        """Return the address without parts that may be secret."""
        return without_secrets(self.url)

    def offer(self, staging: Path, network: Network) -> Generator[Event, None, list[Item]]:
        """Download the archive and list its files."""
        return (yield from _archive_items(self.label, lambda _: self.url, staging, network))


@dataclass(frozen=True)
class DriveSource:
    """A zip archive on Google Drive."""

    file_id: str

    @property
    def label(self) -> str:
        """Return ``gdrive:`` and the id."""
        return f"gdrive:{self.file_id}"

    def offer(self, staging: Path, network: Network) -> Generator[Event, None, list[Item]]:
        """Download the archive, after the confirmation pages of Google Drive, and list its files."""

        def locate(session: requests.Session) -> str:
            return drive.locate(session, self.file_id, network.drive_url)

        return (yield from _archive_items(self.label, locate, staging, network))


@dataclass(frozen=True)
class ManifestSource:
    """A ``manifest.json`` at an https address, with the files in the same folder or at their ``url``."""

    url: str

    @property
    def label(self) -> str:
        """Return the address without parts that may be secret."""
        return without_secrets(self.url)

    def offer(self, staging: Path, network: Network) -> Generator[Event, None, list[Item]]:
        """Download the list; the files are downloaded one by one when they are requested."""
        refuse_offline(self.label)
        listing = staging / _LISTING
        listing.unlink(missing_ok=True)
        wanted = Wanted(MANIFEST, self.label, lambda _: self.url, check=_check_listing, largest=LARGEST_MANIFEST)
        yield from fetch(wanted, listing, network)
        entries = parse_entries(decode_manifest(listing.read_bytes()), self.label)
        return [self._item(entry, network) for entry in entries.values() if not is_manifest(entry.name)]

    def _item(self, entry: Entry, network: Network) -> Item:
        try:
            url = urljoin(self.url, entry.url or quote(entry.name))
        except ValueError:  # of brackets that are no IPv6 address
            url = ""
        if not is_safe(url):
            raise DownloadError(f"{self.label} gives {entry.name} an address without https; it is refused.")
        wanted = Wanted(entry.name, without_secrets(url), lambda _: url, entry.bytes, entry.sha256)
        return Item(entry.name, entry.bytes, entry.sha256, lambda target: fetch(wanted, target, network))


def _check_listing(path: Path) -> None:
    try:
        decode_manifest(path.read_bytes())
    except ValueError as error:
        raise SpoiledError(f"it is not JSON ({error})") from error
