"""Parse the source named by the user, without network access."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from core.download.http import is_safe, without_secrets
from core.errors import ArgumentError
from core.io.json_text import parse_json

if TYPE_CHECKING:
    from core.download.offers import Source

MODEL_SOURCES: Final = Path(__file__).resolve().parent.parent / "model_sources.json"
_DRIVE_ID: Final = re.compile(r"[\w-]{10,100}", re.ASCII)
_DRIVE_LINK: Final = re.compile(r"https://(?:drive|docs)\.google\.com/.*?(?:/d/|[?&]id=)([\w-]{10,100})", re.ASCII)
_HUB_NAME: Final = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", re.ASCII)


@dataclass(frozen=True)
class KnownSource:
    """A source with a known name."""

    name: str
    location: str
    about: str
    is_default: bool


def known_sources(file: Path = MODEL_SOURCES) -> tuple[KnownSource, ...]:
    """Return the sources in ``core/model_sources.json``, the default one first."""
    content = parse_json(file.read_text(encoding="utf-8"))
    default = content["default"]
    found = [
        KnownSource(name, facts["location"], facts["about"], name == default)
        for name, facts in content["sources"].items()
    ]
    return tuple(sorted(found, key=lambda source: not source.is_default))


def parse_source(text: str | None = None) -> Source:
    """Parse a source: a known name, https://, gdrive:ID, hf:owner/repo[@revision], a folder or a zip.

    Args:
        text: the source; None for the default source.

    Raises:
        ArgumentError: the text is not a valid source.
    """
    known = {source.name: source.location for source in known_sources()}
    if text is None:
        text = known_sources()[0].location
    text = known.get(text, text).strip()
    scheme, _, rest = text.partition(":")
    if scheme == "gdrive":
        return _drive(rest)
    if scheme == "hf":
        return _hub(rest)
    if scheme.lower() in {"http", "https"}:
        try:
            return _web(text)
        except ValueError as error:
            raise ArgumentError(f"{text} is not an address ({error}); correct it.") from error
    return _local(text)


def _drive(file_id: str) -> Source:
    from core.download.remote import DriveSource  # noqa: PLC0415 - each source loads its own libraries only

    if not _DRIVE_ID.fullmatch(file_id):
        raise ArgumentError(f"gdrive:{file_id} is not a Google Drive file id; give the letters and digits of its link.")
    return DriveSource(file_id)


def _hub(name: str) -> Source:
    from core.download.hub import HubSource  # noqa: PLC0415

    found = _HUB_NAME.fullmatch(name)
    if not found:
        raise ArgumentError(f"hf:{name} is not a repository; write hf:owner/repo or hf:owner/repo@revision.")
    return HubSource(found[1], found[2] or "main")


def _web(url: str) -> Source:
    from core.download.remote import ManifestSource, WebZipSource  # noqa: PLC0415

    shown = without_secrets(url)
    if not is_safe(url) or not urlsplit(url).hostname:
        raise ArgumentError(f"{shown} is refused: only https addresses are allowed.")
    if link := _DRIVE_LINK.match(url):
        return _drive(link[1])
    path = urlsplit(url).path.lower()
    if path.endswith(".json"):
        return ManifestSource(url)
    if path.endswith(".zip"):
        return WebZipSource(url)
    raise ArgumentError(f"{shown} is neither a .zip nor a manifest.json; give the address of one of these.")


def _local(text: str) -> Source:
    from core.download.local import FolderSource, ZipSource  # noqa: PLC0415

    path = Path(text).expanduser()
    if path.is_dir():
        return FolderSource(path.resolve())
    if path.name == "manifest.json" and path.is_file():
        return FolderSource(path.resolve().parent)
    if path.is_file():
        return ZipSource(path.resolve())
    raise ArgumentError(
        f"{text} is not a valid source: give an https address, gdrive:ID, hf:owner/repo, or an existing folder or zip."
    )
