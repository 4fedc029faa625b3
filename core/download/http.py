"""HTTP as this program wants it: certificates always verified, plain words for what goes wrong."""

from __future__ import annotations

import contextlib
import email.utils
import html
import os
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from core import __version__
from core.errors import DownloadError

TIMEOUT_S: Final = (15.0, 30.0)
CHUNK_BYTES: Final = 1 << 15  # what a broken line may cost; enough for full speed
OTHER_WAYS: Final = "try another --source (a web address, hf:owner/repo, or a folder or zip on this computer) or --demo"
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
_WORTH_ANOTHER_TRY: Final = {408, 425, 429, 500, 502, 503, 504, 520, 522, 524}
_WEB_PAGE: Final = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|title)\b", re.I | re.S
)


class HitchError(Exception):
    """An attempt failed in a way that another one may not. Never leaves the package."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class UnreachableError(HitchError):
    """Nobody was there: no network, a wrong name, a server that is down."""


class SpoiledError(HitchError):
    """What is on disk is wrong; it has to be fetched from its first byte.

    ``resumed`` tells that only going on failed (the file changed in between), which a fresh start cures.
    """

    def __init__(self, reason: str, *, resumed: bool = False) -> None:
        super().__init__(reason)
        self.resumed = resumed


class FinalAnswerError(DownloadError):
    """The server is there, and its answer about this one file will not change: gone, refused, not what it should be."""


class _VerifyingAdapter(HTTPAdapter):
    """Refuses unencrypted connections, also as the target of a redirect; this computer itself is excepted."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        url = request.url or ""
        if not is_safe(url):
            raise DownloadError(f"{host_of(url)} was to be reached without encryption (http); only https is used.")
        return super().send(request, *args, **kwargs)


def open_session() -> requests.Session:
    """A session that names this program, honours the proxies of the environment and asks for bytes as they are."""
    session = requests.Session()
    session.headers.update({"User-Agent": f"isicgui/{__version__}", "Accept-Encoding": "identity"})
    session.mount("http://", _VerifyingAdapter())
    session.mount("https://", _VerifyingAdapter())
    return session


def is_safe(url: str) -> bool:
    """Whether an address is https, or http on this computer; one that cannot be parsed is not."""
    parts = _parts(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def _parts(url: str) -> SplitResult:
    """The parts of an address; an address that cannot be parsed has none."""
    try:
        return urlsplit(url)
    except ValueError:  # of brackets that are no IPv6 address
        return SplitResult("", "", "", "", "")


def host_of(url: str) -> str:
    """The host of an address, for messages: without the path, which may hold secrets."""
    return _parts(url).hostname or url


def without_secrets(url: str) -> str:
    """An address without user, password, query and fragment."""
    parts = _parts(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def refuse_offline(source: str) -> None:
    """Raise where the user has asked for no network.

    Raises:
        DownloadError: HF_HUB_OFFLINE is set.
    """
    if is_offline():
        raise DownloadError(
            f"HF_HUB_OFFLINE is set, so {source} is not fetched: unset it, or name a folder or zip on this "
            "computer with --source, or use --demo."
        )


def is_offline() -> bool:
    """Whether the environment asks for offline mode (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}


@contextlib.contextmanager
def plain_words(url: str) -> Iterator[None]:
    """Turn what requests raises into a hitch (worth another attempt) or a final sentence."""
    host = host_of(url)
    try:
        yield
    except requests.exceptions.ProxyError as error:
        raise HitchError(f"the proxy does not answer (see HTTPS_PROXY and NO_PROXY) for {host}") from error
    except requests.exceptions.SSLError as error:
        raise DownloadError(
            f"The certificate of {host} could not be verified, so nothing was fetched: check this computer's clock; "
            "behind a company proxy set REQUESTS_CA_BUNDLE to its certificate file."
        ) from error
    except requests.exceptions.Timeout as error:
        raise HitchError(f"{host} did not answer in time") from error
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        if "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error):
            raise UnreachableError(f"{host} cannot be reached") from error
        raise HitchError(f"the connection to {host} broke off") from error
    except requests.exceptions.RequestException as error:
        raise DownloadError(f"{without_secrets(url)} could not be fetched ({error}); {OTHER_WAYS}.") from error


@contextlib.contextmanager
def answer(session: requests.Session, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
    """The server's answer, open for reading.

    Raises:
        HitchError: no answer, or one that asks to come again later.
        FinalAnswerError: an answer that will not change.
        DownloadError: the server cannot be used as it is.
    """
    with plain_words(url):
        response = _get(session, url, headers)
        with contextlib.closing(response):
            _check_status(response)
            yield response


def _get(session: requests.Session, url: str, headers: Mapping[str, str]) -> requests.Response:
    try:
        return session.get(url, headers=dict(headers), stream=True, timeout=TIMEOUT_S)
    except requests.exceptions.RequestException:
        raise
    except ValueError as error:  # urllib's, of an address or a redirect that cannot be parsed
        raise FinalAnswerError(
            f"{host_of(url)} has, or leads to, an address that cannot be used ({error}); {OTHER_WAYS}."
        ) from error


def _check_status(response: requests.Response) -> None:
    status, host = response.status_code, host_of(response.url)
    if status in _WORTH_ANOTHER_TRY:
        raise HitchError(f"{host} answered {status} {response.reason}".rstrip(), _retry_after(response))
    if status in {401, 403}:
        raise FinalAnswerError(
            f"{host} refused to hand out the file ({status}): it may need a login, or its quota is used up; "
            f"try again in 24 hours, or {OTHER_WAYS}."
        )
    if status in {404, 410}:
        raise FinalAnswerError(f"{without_secrets(response.url)} does not exist ({status}); {OTHER_WAYS}.")
    if status not in {200, 206, 416}:
        kind = DownloadError if status >= 500 else FinalAnswerError
        raise kind(f"{host} answered {status} {response.reason} instead of the file; {OTHER_WAYS}.")


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    date = email.utils.parsedate_tz(value) if value else None
    return max(0.0, email.utils.mktime_tz(date) - time.time()) if date else None


def is_web_page(first_bytes: bytes) -> bool:
    """Whether content begins like HTML, whatever its name or type claims."""
    return _WEB_PAGE.match(first_bytes[:4096]) is not None


def refuse_web_page(text: str, url: str) -> FinalAnswerError:
    """The sentence for a web page that came in place of a file."""
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    title = " ".join(html.unescape(found[1]).split())[:80] if found else ""
    what = f'a web page ("{title}")' if title else "a web page"
    return FinalAnswerError(
        f"{host_of(url)} sent {what} instead of the file: the link may be wrong, need a login, have used up its "
        f"quota, or this network asks for a sign-in first; open it in a browser, try again in 24 hours, "
        f"or {OTHER_WAYS}."
    )
