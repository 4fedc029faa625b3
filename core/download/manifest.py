"""Read and write ``manifest.json``, which lists the files of a checkpoints folder and their sources.

The format is ``{"files": [{"name", "bytes", "sha256", "source"}], "sources": {source: [offered names]}}``. A bare list
of files and a mapping from name to file are read too. Unknown keys are kept. A source may provide a manifest as well.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from core.errors import DownloadError
from core.io.atomic_files import write_whole
from core.io.file_names import is_plain_name
from core.io.folder_lock import taking_turns
from core.io.json_text import encode_json, parse_json
from core.io.plain_text import shortened
from core.io.regular_file import read_regular

MANIFEST: Final = "manifest.json"
LARGEST_MANIFEST: Final = 1 << 20
"""Bytes; enough for several thousand files. A list in JSON takes about twenty times its size in memory."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """One file. In the manifest of a source, ``bytes``, ``sha256`` and ``url`` may be None (unknown)."""

    name: str
    bytes: int | None
    sha256: str | None
    source: str = ""
    url: str | None = None


@dataclass
class Manifest:
    """The manifest of a folder; ``rest`` holds the keys that are not about downloads."""

    files: dict[str, Entry] = field(default_factory=dict)
    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)


def is_manifest(name: str) -> bool:
    """Check whether a file of this name is the manifest, also on a disk that ignores upper and lower case."""
    return name.lower() == MANIFEST


def decode_manifest(data: bytes) -> Any:
    """Return the JSON value of a manifest from an untrusted source.

    Raises:
        ValueError: the manifest is larger than ``LARGEST_MANIFEST``, or is not JSON in UTF-8.
    """
    if len(data) > LARGEST_MANIFEST:
        raise ValueError(f"it has more than {LARGEST_MANIFEST:,} bytes")
    return parse_json(data.decode("utf-8"))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder; return an empty one if it is missing or damaged, because it can be rebuilt."""
    try:
        content = decode_manifest(read_regular(folder / MANIFEST, LARGEST_MANIFEST))
        entries = parse_entries(content, MANIFEST)
    except (OSError, ValueError, DownloadError):
        return Manifest()
    if not isinstance(content, dict) or "files" not in content:
        return Manifest(entries)
    sources = content.get("sources")
    offers = {
        str(source): tuple(name for name in names if is_plain_name(name))
        for source, names in (sources.items() if isinstance(sources, dict) else ())
        if isinstance(names, list)
    }
    return Manifest(entries, offers, {key: content[key] for key in content if key not in {"files", "sources"}})


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of a folder atomically."""
    files = [asdict(manifest.files[name]) for name in sorted(manifest.files)]
    for entry in files:
        del entry["url"]
    content = {**manifest.rest, "files": files, "sources": {key: list(manifest.offers[key]) for key in manifest.offers}}
    write_whole(folder / MANIFEST, encode_json(content, indent=2))


@contextlib.contextmanager
def changing_manifest(folder: Path) -> Iterator[Manifest]:
    """Yield the current manifest of a folder. Write it back if the block ends without an error.

    The folder is locked during the block, so that no process overwrites the change of another one.

    Raises:
        OSError: the manifest cannot be read or written, or another process keeps the folder locked.
    """
    with taking_turns(folder):
        if (folder / MANIFEST).exists():
            # A temporarily unreadable manifest must raise here; otherwise it would be treated as damaged.
            (folder / MANIFEST).read_bytes()
        manifest = read_manifest(folder)
        yield manifest
        write_manifest(folder, manifest)


def parse_entries(content: object, where: str) -> dict[str, Entry]:
    """Return the files listed in a manifest.

    Raises:
        DownloadError: the manifest has another format, or names a file outside its folder.
    """
    entries = (_parse_entry(item, where) for item in _listed(content, where))
    return {entry.name: entry for entry in entries}


def _listed(content: object, where: str) -> Iterable[Mapping[str, Any]]:
    listed = content.get("files", content) if isinstance(content, dict) else content
    if isinstance(listed, dict):
        listed = [{"name": name, **facts} for name, facts in listed.items() if isinstance(facts, dict)]
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise DownloadError(f"{where} is not a list of files (name, bytes, sha256); is it the right manifest.json?")
    return listed


def _parse_entry(item: Mapping[str, Any], where: str) -> Entry:
    name, size, digest, url = (item.get(key) for key in ("name", "bytes", "sha256", "url"))
    if not is_plain_name(name):
        raise DownloadError(
            f"{where} names the file {shortened(name)}, which is refused: only plain file names are allowed."
        )
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise DownloadError(f"{where} gives {name} the size {shortened(size)}; a number of bytes is needed.")
    digest = digest.lower() if isinstance(digest, str) else digest
    if digest is not None and (not isinstance(digest, str) or not _SHA256.fullmatch(digest)):
        raise DownloadError(f"{where} gives {name} the sha256 {shortened(digest)}; 64 hexadecimal digits are needed.")
    return Entry(name, size, digest, str(item.get("source") or ""), url if isinstance(url, str) else None)
