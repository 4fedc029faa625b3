"""Find the download address of a Google Drive file from its id.

gdown parses the confirmation page, because its format changes when Google changes it. This program transfers the file
itself: gdown stores no ETag between two runs, so a resumed download could join two versions of a file, and its address
cannot be changed for tests.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urljoin

import requests

from core.download.http import OTHER_WAYS, answer, host_of, is_safe, is_web_page
from core.errors import DownloadError

DRIVE_URL: Final = "https://drive.google.com/uc"
_PAGE_BYTES: Final = 1 << 20


def locate(session: requests.Session, file_id: str, drive_url: str = DRIVE_URL) -> str:
    """Return the download address of a file, after the page that warns of files too large for a virus scan.

    Raises:
        DownloadError: the quota is used up, or the file is not public or does not exist.
        HitchError: the server did not answer; another attempt may succeed.
    """
    url = f"{drive_url}?export=download&id={file_id}"
    with answer(session, url, {}) as response:
        first = next(response.iter_content(4096), b"")
        if not (is_web_page(first) or "text/html" in response.headers.get("Content-Type", "")):
            return response.url
        page = _rest_of_page(response, first)
    _refuse_known_pages(page, response.url)
    return _address_in(page, response.url)


def _rest_of_page(response: requests.Response, first: bytes) -> str:
    page = bytearray(first)
    for chunk in response.iter_content(1 << 14):
        page += chunk
        if len(page) > _PAGE_BYTES:
            break
    return page.decode("utf-8", errors="replace")


def _refuse_known_pages(page: str, url: str) -> None:
    lower = page.lower()
    if "quota exceeded" in lower or "too many users" in lower or "download quota" in lower:
        raise DownloadError(
            "The Google Drive download quota of this file is used up (the server sent a quota page instead of the "
            f"file): try again in 24 hours, or {OTHER_WAYS}."
        )
    if host_of(url) == "accounts.google.com" or "servicelogin" in lower:
        raise DownloadError(f"Google Drive requires a login, so the file is no longer public; {OTHER_WAYS}.")


def _address_in(page: str, url: str) -> str:
    from gdown.download import get_url_from_gdrive_confirmation  # noqa: PLC0415 - only Drive needs its HTML parser
    from gdown.exceptions import FileURLRetrievalError  # noqa: PLC0415

    try:
        # gdown reads line by line and would miss the fields of a form that spans several lines.
        found = urljoin(url, get_url_from_gdrive_confirmation(" ".join(page.splitlines())))
    except FileURLRetrievalError as error:
        reason = re.sub(r"<.*", "", str(error))[:200].rstrip(" .")
        raise DownloadError(
            f"Google Drive sent a web page instead of the file ({reason}); try again in 24 hours, or {OTHER_WAYS}."
        ) from error
    if not is_safe(found):
        raise DownloadError(f"Google Drive's page points to an unencrypted address on {host_of(found)}; {OTHER_WAYS}.")
    return found
