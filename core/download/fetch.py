"""Download one file over an unreliable connection: resume, retry, and check the file before it gets its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import requests

from core.download.disk_space import require_space
from core.download.drive import DRIVE_URL
from core.download.events import DownloadResumed, Meter
from core.download.http import (
    CHUNK_BYTES,
    OTHER_WAYS,
    FinalAnswerError,
    HitchError,
    SpoiledError,
    answer,
    host_of,
    is_web_page,
    refuse_web_page,
)
from core.download.partial_file import Part, Validators
from core.download.retry import Patience, Tries, wait
from core.errors import DownloadError
from core.generation.events import Event
from core.io.atomic_files import sha256_of

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_PATIENCE: Final = Patience()
LARGEST_FILE: Final = 32 << 30


@dataclass(frozen=True)
class Network:
    """Network settings. Tests and mirrors use other addresses."""

    session: requests.Session
    patience: Patience = _PATIENCE
    drive_url: str = DRIVE_URL
    hub_url: str | None = None


def _anything_goes(_: Path) -> None:
    """Accept any content; used if nothing is known about a file."""


@dataclass(frozen=True)
class Wanted:
    """One file to be downloaded, and its known properties.

    Attributes:
        name: name for messages and events.
        identity: text that is the same in every run, unlike an address with tokens in it.
        locate: returns the address; called for each attempt because addresses expire.
        check: raises SpoiledError if the content is wrong.
        largest: largest accepted number of bytes.
    """

    name: str
    identity: str
    locate: Callable[[requests.Session], str]
    bytes: int | None = None
    sha256: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    check: Callable[[Path], None] = _anything_goes
    largest: int = LARGEST_FILE


def fetch(wanted: Wanted, target: Path, network: Network) -> Iterator[Event]:
    """Download a file to ``target``, resuming an earlier run. Closing the iterator keeps the received bytes.

    Raises:
        DownloadError: the server refuses the file, too many attempts failed, or the content is wrong every time.
        OSError: the disk is full or not writable.
    """
    part, tries = Part(target), Tries(network.patience)
    if _arrived_before(wanted, target):
        return
    while True:
        try:
            yield from _attempt(wanted, part, network.session)
            _accept(wanted, part.path)
            break
        except HitchError as hitch:
            if isinstance(hitch, SpoiledError):
                part.discard()
            wait_s, reason = tries.wait_after(hitch, part.size, wanted.name), str(hitch)
        yield from wait(wanted.name, reason, wait_s)
    part.finish(target)


def _attempt(wanted: Wanted, part: Part, session: requests.Session) -> Iterator[Event]:
    headers = part.range_headers(wanted.identity, trusting=wanted.sha256 is not None)
    if headers and part.size == part.validators.total:
        return  # the last run ended after the last byte and before the renaming
    url = wanted.locate(session)
    with answer(session, url, {**wanted.headers, **headers}) as response:
        chunks: Iterator[bytes] = response.iter_content(CHUNK_BYTES)
        if response.status_code == 200:
            chunks = _begin(wanted, part, response, chunks)
        else:
            _go_on(wanted, part, response)
            yield DownloadResumed(wanted.name, part.size)
        yield from _receive(wanted, part, chunks, url)


def _begin(wanted: Wanted, part: Part, response: requests.Response, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Check the first bytes before they replace the bytes received earlier."""
    first = next(chunks, b"")
    if is_web_page(first) or response.headers.get("Content-Type", "").startswith("text/html"):
        raise refuse_web_page(first[:4096].decode("utf-8", errors="replace"), response.url)
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    _refuse_encoded(response)
    if wanted.bytes is not None and total is not None and total != wanted.bytes:
        raise SpoiledError(f"{host_of(response.url)} has {total} bytes, but {wanted.bytes} were announced")
    if total is not None and total > wanted.largest:
        raise _too_large(wanted, response.url)
    part.begin(_validators(wanted, response, total if total is not None else wanted.bytes))
    return chain((first,), chunks)


def _go_on(wanted: Wanted, part: Part, response: requests.Response) -> None:
    """Check that the response is the rest of the file whose first bytes are on disk.

    Raises:
        SpoiledError: the file changed, or the server did not send the requested range.
    """
    known, found = part.validators, _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status_code != 206 or not found or int(found[1]) != part.size:
        raise SpoiledError(f"{host_of(response.url)} did not resume at the requested byte", resumed=True)
    _refuse_encoded(response)
    total = int(found[3]) if found[3].isdecimal() else known.total
    now = _validators(wanted, response, total)
    if (known.total is not None and now.total != known.total) or _contradicts(known, now):
        raise SpoiledError("the file changed on the server; the download starts again", resumed=True)
    if wanted.sha256 is None and not (now.etag == known.etag != "" or now.last_modified == known.last_modified != ""):
        raise SpoiledError(
            "the server does not report whether the file is unchanged; the download starts again", resumed=True
        )


def _contradicts(known: Validators, now: Validators) -> bool:
    return any(a and b and a != b for a, b in ((known.etag, now.etag), (known.last_modified, now.last_modified)))


def _validators(wanted: Wanted, response: requests.Response, total: int | None) -> Validators:
    headers = response.headers
    return Validators(wanted.identity, headers.get("ETag", ""), headers.get("Last-Modified", ""), total)


def _refuse_encoded(response: requests.Response) -> None:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:  # lengths and ranges would count encoded bytes, not the written ones
        raise DownloadError(
            f"{host_of(response.url)} sends the file {encoding}-encoded, which was not requested; {OTHER_WAYS}."
        )


def _receive(wanted: Wanted, part: Part, chunks: Iterator[bytes], url: str) -> Iterator[Event]:
    done, total = part.size, part.validators.total
    require_space(part.path.parent, (total or done) - done)
    meter = Meter(wanted.name, "download", total)
    with part.append() as file:
        for chunk in chunks:
            done += len(chunk)
            if done > wanted.largest:
                break
            file.write(chunk)
            if total is not None and done > total:
                raise SpoiledError("more bytes were received than announced")
            yield meter.progress(done)
    if done > wanted.largest:
        part.discard()
        raise _too_large(wanted, url)
    if total is not None and done < total:
        raise HitchError(f"the connection closed after {done} of {total} bytes")


def _too_large(wanted: Wanted, url: str) -> FinalAnswerError:
    return FinalAnswerError(
        f"{host_of(url)} sends more than {wanted.largest:,} bytes for {wanted.name}, the most that is fetched; check "
        f"the address, or {OTHER_WAYS}."
    )


def _accept(wanted: Wanted, path: Path) -> None:
    """Compare the received file with its known size, checksum and content.

    Raises:
        SpoiledError: something differs.
        DownloadError: the file is refused. It is deleted, so that the download can be repeated with a repaired source.
    """
    size = path.stat().st_size
    if wanted.bytes is not None and size != wanted.bytes:
        raise SpoiledError(f"{size} bytes were received, but {wanted.bytes} were announced")
    if wanted.sha256 is not None and sha256_of(path) != wanted.sha256:
        raise SpoiledError("its SHA-256 differs from the announced one")
    try:
        wanted.check(path)
    except DownloadError:
        path.unlink()
        raise


def _arrived_before(wanted: Wanted, target: Path) -> bool:
    """Check whether an earlier run received the whole file but ended before it was renamed."""
    if target.is_symlink():  # nothing that this program left: it would stay a link in the checkpoints folder
        target.unlink()
    if not target.is_file():
        return False
    try:
        _accept(wanted, target)
    except SpoiledError:
        target.unlink()
        return False
    return True
