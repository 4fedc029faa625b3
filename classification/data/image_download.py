"""Many small images from many servers: resumed, checked, and every one that could not be had named with its reason."""

from __future__ import annotations

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

from classification.events import Counted, Tell, nobody
from core.download.fetch import Network, Wanted, fetch
from core.download.http import FinalAnswerError, SpoiledError, host_of, is_safe, open_session
from core.download.retry import Patience
from core.errors import ArgumentError, DownloadError
from core.io.file_names import is_plain_name
from core.io.image_errors import UNREADABLE
from core.io.plain_text import shortened

_AT_ONCE: Final = 4
_PATIENCE: Final = Patience(attempts=3, unreachable=2, base_s=0.5, cap_s=10.0)
_DEAD_AFTER: Final = 5  # times in a row that one server does not answer
_TELL_EVERY: Final = 50
_LARGEST_IMAGE: Final = 64 << 20


def download_images(
    addresses: Mapping[str, str], folder: Path, tell: Tell = nobody, patience: Patience = _PATIENCE
) -> dict[str, str]:
    """Fetch images that are not there yet; an interrupted one goes on where it broke off.

    Args:
        addresses: file name to address.
        folder: receives the files.
        tell: hears how far it is.
        patience: how often each is tried.

    Returns:
        File name to the reason, of those that could not be had.

    Raises:
        ArgumentError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ArgumentError(f"The folder {folder} cannot be made ({reason}); name another with --images.") from error
    reasons = {name: "its name is no plain file name" for name in addresses if not is_plain_name(name)}
    missing = {name: url for name, url in addresses.items() if name not in reasons and not (folder / name).is_file()}
    run = _Run(folder, patience)
    not_plain = len(reasons)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = {pool.submit(run.fetch, name, url): name for name, url in missing.items()}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                if reason := future.result():
                    reasons[futures[future]] = reason
                if done % _TELL_EVERY == 0 or done == len(futures):
                    tell(Counted("images downloaded", done + not_plain - len(reasons), len(futures)))
        except KeyboardInterrupt:
            run.stop.set()
            raise
        finally:
            run.close()
    return reasons


class _Run:
    """What the workers share: a session each, and which servers do not answer."""

    def __init__(self, folder: Path, patience: Patience) -> None:
        self.folder, self.patience, self.stop = folder, patience, Switch()
        self._own, self._lock = local(), Lock()
        self._sessions: list[requests.Session] = []
        self._failures: Counter[str] = Counter()

    def fetch(self, name: str, url: str) -> str:
        """Fetch one image; returns why not, or nothing."""
        address = _encrypted(url)
        if not address:
            return f"{shortened(url)} is not a web address"
        host = host_of(address)
        if self.stop.is_set() or self._failures[host] >= _DEAD_AFTER:
            return f"left out after {_DEAD_AFTER} failures of {host} in a row"
        try:
            wanted = Wanted(name, address, lambda _: address, check=_check_image, largest=_LARGEST_IMAGE)
            for _ in fetch(wanted, self.folder / name, Network(self._session(), self.patience)):
                if self.stop.is_set():
                    return "interrupted"
        except DownloadError as error:
            # Dead links are what is left for a second run to begin with; a server that says so is alive.
            self._count(host, failed=not isinstance(error, FinalAnswerError))
            return str(error).partition(";")[0]  # what follows is advice about model downloads
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
    """The address by https: some of the tables' addresses are older than their servers' certificates."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:  # of brackets that are no IPv6 address
        return ""
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        return ""
    return url.strip() if is_safe(url.strip()) else parts._replace(scheme="https").geturl()


def _check_image(path: Path) -> None:
    try:
        with Image.open(path) as picture:
            picture.load()
    except UNREADABLE as error:
        raise SpoiledError("what came is not a whole image") from error
