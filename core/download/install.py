"""From a source to the checkpoints folder: what is missing is fetched, checked, and only then given its name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import filelock

from core.classes import CLASSES
from core.download.backup import set_aside
from core.download.content import belongs, check_content, class_of, is_demonstration, opens
from core.download.disk_space import require_space
from core.download.drive import DRIVE_URL
from core.download.events import DownloadFinished, Installed, Kept, Planned, Skipped
from core.download.fetch import Network
from core.download.http import open_session
from core.download.manifest import Entry, Manifest, changing_manifest, read_manifest
from core.download.offers import Item, Source
from core.download.retry import Patience
from core.download.status import file_status
from core.errors import ArgumentError, CheckpointError, DownloadError
from core.generation.events import Event
from core.io.atomic_files import sha256_of
from core.io.leftovers import clear_parts

STAGING: Final = ".download"
_LOCK: Final = ".download.lock"


@dataclass(frozen=True)
class DownloadJob:
    """What to fetch and where to put it.

    Attributes:
        classes: only these classes' checkpoints, and what comes with them; empty for all that there are.
        force: fetch also what is there and whole, and replace files that came from elsewhere.
    """

    source: Source
    folder: Path
    classes: tuple[str, ...] = ()
    force: bool = False
    patience: Patience = field(default_factory=Patience)
    drive_url: str = DRIVE_URL
    hub_url: str | None = None


def fetch_models(job: DownloadJob) -> Generator[Event, None, None]:
    """Carry out a job. Closing the iterator at any event leaves a state that the next run goes on from.

    Raises:
        ArgumentError: the folder cannot be used; nothing was written.
        DownloadError: the source cannot be reached, is not what it says, or has not what was asked for.
        OSError: the disk is full or cannot be written.
    """
    _check_folder(job)
    with _locked(job.folder), open_session() as session:
        clear_parts(job.folder)
        run = _Run(job, read_manifest(job.folder))
        if not (yield from run.is_complete()):
            label = job.source.label.encode("utf-8", "surrogateescape")  # a folder's name need not be UTF-8
            staging = job.folder / STAGING / hashlib.sha256(label).hexdigest()[:12]
            for place in (job.folder / STAGING, staging):
                if place.is_symlink():  # somebody else's: what is staged must not go where a link leads
                    place.unlink()
            staging.mkdir(parents=True, exist_ok=True)
            if job.force:
                _drop_whole_files(staging)
            network = Network(session, job.patience, job.drive_url, job.hub_url)
            items = yield from job.source.offer(staging, network)
            yield from run.install(items, staging)
        shutil.rmtree(job.folder / STAGING, ignore_errors=True)
        yield DownloadFinished(job.folder, run.installed, run.kept)


def _check_folder(job: DownloadJob) -> None:
    around = (job.folder, *job.folder.absolute().parents)
    existing = next((path for path in around if path.exists()), job.folder)  # on Windows even a drive may be missing
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise ArgumentError(f"{job.folder} cannot be written: name a folder of your own with --dest.")
    if job.source.label == str(job.folder.resolve()):
        raise ArgumentError(f"{job.folder} is both the source and the destination; name another --source or --dest.")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    # Not bound to the thread: a window may drop the iterator from another one.
    lock = filelock.FileLock(folder / _LOCK, timeout=0, thread_local=False)
    try:
        with lock:
            yield
    except filelock.Timeout as error:
        raise DownloadError(f"Another download into {folder} is running; wait for it or stop it.") from error


def _drop_whole_files(staging: Path) -> None:
    for file in staging.iterdir():
        if ".part" not in file.suffixes:
            file.unlink()


class _Run:
    """One job under way: the manifest as it grows, and what has been counted."""

    def __init__(self, job: DownloadJob, manifest: Manifest) -> None:
        self._job, self._manifest = job, manifest
        self._folder, self._label = job.folder, job.source.label
        self.installed = self.kept = 0

    def is_complete(self) -> Generator[Event, None, bool]:
        """Whether all that the source is known to offer is there and whole: then it need not even be asked."""
        names = self._manifest.offers.get(self._label, ())
        offered = {class_of(name) for name in names}
        if self._job.force or not names or not offered.issuperset(self._job.classes):
            return False
        reasons = {}
        for name in self._selected(names):
            if (reason := self._reason_to_keep(name, None)) is None:
                return False
            reasons[name] = reason
        for name, reason in reasons.items():
            yield self._keep(name, reason)
        return True

    def install(self, items: list[Item], staging: Path) -> Iterator[Event]:
        """Fetch and put in place what is missing of what the source offers."""
        for item in items:
            if not belongs(item.name):
                yield Skipped(item.name, "neither weights nor a document")
        offered = {item.name: item for item in items if belongs(item.name)}
        self._refuse_unknown(offered)
        wanted = []
        for name in self._selected(offered):
            if not self._job.force and (reason := self._reason_to_keep(name, offered[name].sha256)):
                yield self._keep(name, reason)
            else:
                wanted.append(offered[name])
        yield from self._fetch(wanted, staging)
        with changing_manifest(self._folder) as manifest:
            manifest.offers[self._label] = tuple(offered)

    def _fetch(self, wanted: list[Item], staging: Path) -> Iterator[Event]:
        sizes = [item.bytes for item in wanted]
        known = [size for size in sizes if size is not None]
        arrived = sum(file.stat().st_size for file in staging.glob("*.part"))
        require_space(self._folder, max(0, sum(known) - arrived))
        names = tuple(item.name for item in wanted)
        yield Planned(self._label, self._folder, names, sum(known) if len(known) == len(sizes) else None)
        for item in wanted:
            staged = staging / item.name
            yield from item.deliver(staged)
            yield from self._put(item, staged)

    def _put(self, item: Item, staged: Path) -> Iterator[Event]:
        """Check what has arrived, and let it take its place."""
        size, sha256 = staged.stat().st_size, sha256_of(staged)
        try:
            if item.bytes not in {None, size} or item.sha256 not in {None, sha256}:
                raise CheckpointError(f"{item.name} is not the announced file: its size or SHA-256 differs.")
            check_content(staged, item.name)
        except CheckpointError as error:
            staged.unlink()
            raise DownloadError(f"{self._label} delivered something else than a model: {error}") from error
        yield from self._set_aside(item.name)
        with staged.open("rb+") as stream:
            os.fsync(stream.fileno())
        staged.replace(self._folder / item.name)
        self._record(item.name, size, sha256)
        self.installed += 1
        yield Installed(item.name, size, sha256)

    def _set_aside(self, name: str) -> Iterator[Event]:
        """Keep a file that opens but is not the recorded one: it may be the user's own work."""
        path, entry = self._folder / name, self._manifest.files.get(name)
        if file_status(self._folder, name, entry).state == "damaged" and opens(path):
            yield set_aside(path, "had been changed since it was fetched")

    def _reason_to_keep(self, name: str, sha256: str | None) -> str | None:
        """Why a file stays as it is; None when it is to be fetched."""
        entry, path = self._manifest.files.get(name), self._folder / name
        status = file_status(self._folder, name, entry)
        if status.state == "whole" and entry and entry.source == self._label and sha256 in {None, entry.sha256}:
            return "there and whole"
        if status.state in {"whole", "unrecorded"} and sha256 is not None and sha256_of(path) == sha256:
            self._record(name, status.bytes, sha256)
            return "there and whole"
        if status.state == "unrecorded" and opens(path) and not is_demonstration(path):
            return "not from a download, so left alone; --force replaces it"
        return None

    def _keep(self, name: str, reason: str) -> Kept:
        self.kept += 1
        return Kept(name, reason)

    def _record(self, name: str, size: int, sha256: str) -> None:
        self._manifest.files[name] = Entry(name, size, sha256, self._label)
        with changing_manifest(self._folder) as manifest:  # which another process may have written meanwhile
            manifest.files[name] = self._manifest.files[name]

    def _selected(self, names: Iterable[str]) -> list[str]:
        chosen = self._job.classes
        return [name for name in names if not chosen or class_of(name) is None or class_of(name) in chosen]

    def _refuse_unknown(self, offered: Iterable[str]) -> None:
        have = [name for name in CLASSES if name in set(map(class_of, offered))]
        missing = [name for name in self._job.classes if name not in have]
        if missing or not have:
            raise DownloadError(
                f"{self._label} has no checkpoint (unet_<CLASS>_best.pth) of {', '.join(missing) or 'any class'}; "
                f"it has {', '.join(have) or 'none'}."
            )
