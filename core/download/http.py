"""HTTP requests with certificates that are always verified, and error messages in plain English."""

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
CHUNK_BYTES: Final = 1 << 15  # lost at most when the connection breaks; large enough for full speed
OTHER_WAYS: Final = "try another --source (a web address, hf:owner/repo, or a folder or zip on this computer) or --demo"
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
_WORTH_ANOTHER_TRY: Final = {408, 425, 429, 500, 502, 503, 504, 520, 522, 524}
_WEB_PAGE: Final = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|title)\b", re.I | re.S
)


class HitchError(Exception):
    """An attempt failed, but another one may succeed. Raised only inside this package."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class UnreachableError(HitchError):
    """The server was not reached: no network, a wrong host name, or a server that is down."""


class SpoiledError(HitchError):
    """The bytes on disk are wrong, so the download must start at the first byte.

    ``resumed`` is true if only the resumed download failed, for example because the file changed on the server.
    """

    def __init__(self, reason: str, *, resumed: bool = False) -> None:
        super().__init__(reason)
        self.resumed = resumed


class FinalAnswerError(DownloadError):
    """The server answered, and another attempt would not help: the file is missing, refused, or wrong."""


class _VerifyingAdapter(HTTPAdapter):
    """Refuse unencrypted connections, also after a redirect; connections to this computer are allowed."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        url = request.url or ""
        if not is_safe(url):
            raise DownloadError(f"{host_of(url)} is addressed without encryption (http); use an https address.")
        return super().send(request, *args, **kwargs)


def open_session() -> requests.Session:
    """Open a session that identifies this program, uses the proxies of the environment, and disables compression."""
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
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is not a number
        return parts
    except ValueError:  # also of brackets that are no IPv6 address
        return SplitResult("", "", "", "", "")


def host_of(url: str) -> str:
    """Return the host of an address for messages, without the path, which may contain secrets."""
    return _parts(url).hostname or url


def without_secrets(url: str) -> str:
    """Return an address without user, password, query and fragment."""
    parts = _parts(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def refuse_offline(source: str) -> None:
    """Raise an error if the user has disabled network access.

    Raises:
        DownloadError: HF_HUB_OFFLINE is set.
    """
    if is_offline():
        raise DownloadError(
            f"HF_HUB_OFFLINE is set, so {source} is not fetched: unset it, or name a folder or zip on this "
            "computer with --source, or use --demo."
        )


def is_offline() -> bool:
    """Check whether the environment enables offline mode (HF_HUB_OFFLINE)."""
    return os.environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"}


@contextlib.contextmanager
def plain_words(url: str) -> Iterator[None]:
    """Convert errors of requests into a HitchError, which is retried, or a DownloadError with a message."""
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
        raise HitchError(f"the connection to {host} was interrupted") from error
    except requests.exceptions.RequestException as error:
        raise DownloadError(f"{without_secrets(url)} could not be fetched ({error}); {OTHER_WAYS}.") from error


@contextlib.contextmanager
def answer(session: requests.Session, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
    """Send a request and return the response, open for reading.

    Raises:
        HitchError: the server did not answer, or it asked for another attempt later.
        FinalAnswerError: another attempt would not help.
        DownloadError: the server cannot be used.
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
            f"{host} refused the file ({status}): it may require a login, or its quota is used up; "
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
    """Check whether the content begins like HTML, regardless of its name and declared type."""
    return _WEB_PAGE.match(first_bytes[:4096]) is not None


def refuse_web_page(text: str, url: str) -> FinalAnswerError:
    """Return the error message for a web page that was received instead of a file."""
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    title = " ".join(html.unescape(found[1]).split())[:80] if found else ""
    what = f'a web page ("{title}")' if title else "a web page"
    return FinalAnswerError(
        f"{host_of(url)} sent {what} instead of the file. Possible reasons: a wrong link, a required login, a used-up "
        f"quota, or a network that requires a sign-in first. Open the link in a browser, try again in 24 hours, "
        f"or {OTHER_WAYS}."
    )
