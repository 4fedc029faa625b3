"""Install models from a source into a checkpoints folder: download missing files, check them, then rename them."""

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
    """The source of a download, its target folder and its settings.

    Attributes:
        classes: download only the checkpoints of these classes and the files that belong to them; empty for all.
        force: also download intact files again, and replace files from other sources.
    """

    source: Source
    folder: Path
    classes: tuple[str, ...] = ()
    force: bool = False
    patience: Patience = field(default_factory=Patience)
    drive_url: str = DRIVE_URL
    hub_url: str | None = None


def fetch_models(job: DownloadJob) -> Generator[Event, None, None]:
    """Run a download job. If the iterator is closed at any event, the next run resumes from there.

    Raises:
        ArgumentError: the folder cannot be used; nothing was written.
        DownloadError: the source cannot be reached, is not valid, or does not contain the requested files.
        OSError: the disk is full or not writable.
    """
    _check_folder(job)
    with _locked(job.folder), open_session() as session:
        clear_parts(job.folder)
        run = _Run(job, read_manifest(job.folder))
        if not (yield from run.is_complete()):
            label = job.source.label.encode("utf-8", "surrogateescape")  # the name of a folder may not be UTF-8
            staging = job.folder / STAGING / hashlib.sha256(label).hexdigest()[:12]
            for folder in (job.folder / STAGING, staging):
                if folder.is_symlink():  # created by another user: staged files must not follow a link
                    folder.unlink()
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
    existing = next((path for path in around if path.exists()), job.folder)  # on Windows, even the drive may be missing
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise ArgumentError(f"{job.folder} cannot be written: name a writable folder with --dest.")
    if job.source.label == str(job.folder.resolve()):
        raise ArgumentError(
            f"{job.folder} is both the source and the destination; name a different --source or --dest."
        )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    # Not bound to the thread: a window may close the iterator from another thread.
    lock = filelock.FileLock(folder / _LOCK, timeout=0, thread_local=False)
    try:
        with lock:
            yield
    except filelock.Timeout as error:
        raise DownloadError(
            f"Another download into {folder} is running; wait until it has finished, or stop it."
        ) from error


def _drop_whole_files(staging: Path) -> None:
    for file in staging.iterdir():
        if ".part" not in file.suffixes:
            file.unlink()


class _Run:
    """State of a running job: the manifest and the numbers of installed and kept files."""

    def __init__(self, job: DownloadJob, manifest: Manifest) -> None:
        self._job, self._manifest = job, manifest
        self._folder, self._label = job.folder, job.source.label
        self.installed = self.kept = 0

    def is_complete(self) -> Generator[Event, None, bool]:
        """Check whether all known files of the source are present and intact; then no request is needed."""
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
        """Download and install the missing files of the source."""
        for item in items:
            if not belongs(item.name):
                yield Skipped(item.name, "it is neither weights nor a document")
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
        """Check a received file and move it into the folder."""
        size, sha256 = staged.stat().st_size, sha256_of(staged)
        try:
            if item.bytes not in {None, size} or item.sha256 not in {None, sha256}:
                raise CheckpointError(f"{item.name} is not the announced file: its size or SHA-256 differs.")
            check_content(staged, item.name)
        except CheckpointError as error:
            staged.unlink()
            raise DownloadError(f"{self._label} delivered a file that is not a model: {error}") from error
        yield from self._set_aside(item.name)
        with staged.open("rb+") as stream:
            os.fsync(stream.fileno())
        staged.replace(self._folder / item.name)
        self._record(item.name, size, sha256)
        self.installed += 1
        yield Installed(item.name, size, sha256)

    def _set_aside(self, name: str) -> Iterator[Event]:
        """Keep a valid file that differs from the recorded one, because it may be the user's own work."""
        path, entry = self._folder / name, self._manifest.files.get(name)
        if file_status(self._folder, name, entry).state == "damaged" and opens(path):
            yield set_aside(path, "was changed after its download")

    def _reason_to_keep(self, name: str, sha256: str | None) -> str | None:
        """Return why a file is kept; None if it must be downloaded."""
        entry, path = self._manifest.files.get(name), self._folder / name
        status = file_status(self._folder, name, entry)
        if status.state == "whole" and entry and entry.source == self._label and sha256 in {None, entry.sha256}:
            return "present and intact"
        if status.state in {"whole", "unrecorded"} and sha256 is not None and sha256_of(path) == sha256:
            self._record(name, status.bytes, sha256)
            return "present and intact"
        if status.state == "unrecorded" and opens(path) and not is_demonstration(path):
            return "it is not from a download; use --force to replace it"
        return None

    def _keep(self, name: str, reason: str) -> Kept:
        self.kept += 1
        return Kept(name, reason)

    def _record(self, name: str, size: int, sha256: str) -> None:
        self._manifest.files[name] = Entry(name, size, sha256, self._label)
        with changing_manifest(self._folder) as manifest:  # another process may have changed it in the meantime
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
