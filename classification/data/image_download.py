"""Download many small images from many servers; downloads resume, are checked, and failures are listed with reasons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event as Switch
from threading import Lock, local
from typing import Final
from urllib.parse import urlsplit

import requests
from PIL import Image

from classification.events import Counted, Emit, discard
from core.download.fetch import Network, Wanted, fetch
from core.download.http import FinalAnswerError, SpoiledError, host_of, is_safe, open_session
from core.download.retry import Patience
from core.errors import ArgumentError, DownloadError
from core.io.file_names import is_plain_name
from core.io.image_errors import UNREADABLE
from core.io.plain_text import shortened

_AT_ONCE: Final = 4
_PATIENCE: Final = Patience(attempts=3, unreachable=2, base_s=0.5, cap_s=10.0)
_DEAD_AFTER: Final = 5  # consecutive failures of one server
_REPORT_EVERY: Final = 50
_LARGEST_IMAGE: Final = 64 << 20


def download_images(
    addresses: Mapping[str, str], folder: Path, emit: Emit = discard, patience: Patience = _PATIENCE
) -> dict[str, str]:
    """Download missing images; an interrupted download is resumed.

    Args:
        addresses: file name to address.
        folder: folder for the files.
        emit: receives progress events.
        patience: number of attempts and waiting times.

    Returns:
        File name to reason, for the images that could not be downloaded.

    Raises:
        ArgumentError: the folder cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ArgumentError(f"The folder {folder} cannot be created ({reason}); name another with --images.") from error
    reasons = {name: "its name is not a plain file name" for name in addresses if not is_plain_name(name)}
    missing = {name: url for name, url in addresses.items() if name not in reasons and not (folder / name).is_file()}
    run = _Run(folder, patience)
    not_plain = len(reasons)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = {pool.submit(run.fetch, name, url): name for name, url in missing.items()}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                if reason := future.result():
                    reasons[futures[future]] = reason
                if done % _REPORT_EVERY == 0 or done == len(futures):
                    emit(Counted("images downloaded", done + not_plain - len(reasons), len(futures)))
        except KeyboardInterrupt:
            run.stop.set()
            raise
        finally:
            run.close()
    return reasons


class _Run:
    """State shared by the workers: one session per worker, and the failures of each server."""

    def __init__(self, folder: Path, patience: Patience) -> None:
        self.folder, self.patience, self.stop = folder, patience, Switch()
        self._own, self._lock = local(), Lock()
        self._sessions: list[requests.Session] = []
        self._failures: Counter[str] = Counter()

    def fetch(self, name: str, url: str) -> str:
        """Download one image; return the reason of a failure, or an empty string."""
        address = _encrypted(url)
        if not address:
            return f"{shortened(url)} is not a web address"
        host = host_of(address)
        if self.stop.is_set() or self._failures[host] >= _DEAD_AFTER:
            return f"skipped after {_DEAD_AFTER} consecutive failures of {host}"
        try:
            wanted = Wanted(name, address, lambda _: address, check=_check_image, largest=_LARGEST_IMAGE)
            for _ in fetch(wanted, self.folder / name, Network(self._session(), self.patience)):
                if self.stop.is_set():
                    return "interrupted"
        except DownloadError as error:
            # A second run consists mostly of dead links. A server that reports one is alive.
            self._count(host, failed=not isinstance(error, FinalAnswerError))
            return re.split(r"[;.] ", str(error), maxsplit=1)[0]  # the rest is advice about model downloads
        except OSError as error:
            return f"it could not be written ({error.strerror})"
        self._count(host, failed=False)
        return ""

    def close(self) -> None:
        """Close every connection."""
        for session in self._sessions:
            session.close()

    def _count(self, host: str, *, failed: bool) -> None:
        with self._lock:
            self._failures[host] = self._failures[host] + 1 if failed else 0

    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            self._own.session = open_session()
            with self._lock:
                self._sessions.append(self._own.session)
        session: requests.Session = self._own.session
        return session


def _encrypted(url: str) -> str:
    """The address with https: some addresses in the table are older than the certificates of their servers."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # brackets without an IPv6 address
        return ""
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        return ""
    return url.strip() if is_safe(url.strip()) else parts._replace(scheme="https").geturl()


def _check_image(path: Path) -> None:
    try:
        with Image.open(path) as image:
            image.load()
    except UNREADABLE as error:
        raise SpoiledError("the download is not a complete image") from error
