"""``manifest.json``: what a checkpoints folder holds and where it came from; a source may have one as well.

``{"files": [{"name", "bytes", "sha256", "source"}], "sources": {source: [names that it offers]}}``. A bare list of
files and a mapping from name to file are read too. Keys that others have added stay.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from core.errors import DownloadError
from core.io.atomic_files import write_whole
from core.io.folder_lock import taking_turns
from core.io.json_text import parse_json

MANIFEST: Final = "manifest.json"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_NAME: Final = re.compile(r"[\w][\w .+()-]{0,199}", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """One file. In a source's manifest ``bytes``, ``sha256`` and ``url`` may be unknown (None)."""

    name: str
    bytes: int | None
    sha256: str | None
    source: str = ""
    url: str | None = None


@dataclass
class Manifest:
    """The manifest of a folder, as far as it concerns downloads; ``rest`` is what others wrote into it."""

    files: dict[str, Entry] = field(default_factory=dict)
    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)


def is_plain_name(name: str) -> bool:
    """Whether a name can stand for a file in a folder on every system, and nowhere else."""
    return _NAME.fullmatch(name) is not None and not name.endswith((".", " "))


def read_manifest(folder: Path) -> Manifest:
    """The folder's manifest; an empty one where there is none or where it is damaged, for it can be made anew."""
    try:
        content = parse_json((folder / MANIFEST).read_text(encoding="utf-8"))
        entries = parse_entries(content, MANIFEST)
    except (OSError, ValueError, DownloadError):
        return Manifest()
    if not isinstance(content, dict) or "files" not in content:
        return Manifest(entries)
    sources = content.get("sources")
    offers = {
        str(source): tuple(map(str, names))
        for source, names in (sources.items() if isinstance(sources, dict) else ())
        if isinstance(names, list)
    }
    return Manifest(entries, offers, {key: content[key] for key in content if key not in {"files", "sources"}})


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the folder's manifest in one step."""
    files = [asdict(manifest.files[name]) for name in sorted(manifest.files)]
    for entry in files:
        del entry["url"]
    content = {**manifest.rest, "files": files, "sources": {key: list(manifest.offers[key]) for key in manifest.offers}}
    write_whole(folder / MANIFEST, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


@contextlib.contextmanager
def changing_manifest(folder: Path) -> Iterator[Manifest]:
    """The folder's manifest as it is, to be changed in the block, and written when that ends well.

    Other processes wait meanwhile, so that none writes back what it read before another one's change.

    Raises:
        OSError: the manifest cannot be read or written, or another process does not let the folder go.
    """
    with taking_turns(folder):
        if (folder / MANIFEST).exists():
            (folder / MANIFEST).read_bytes()  # one that cannot be read just now must not be taken for a damaged one
        manifest = read_manifest(folder)
        yield manifest
        write_manifest(folder, manifest)


def parse_entries(content: object, where: str) -> dict[str, Entry]:
    """The files that a manifest lists.

    Raises:
        DownloadError: it has another form, or names a file outside its folder.
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
    if not isinstance(name, str) or not is_plain_name(name):
        raise DownloadError(f"{where} names the file {name!r}, which is refused: only plain file names are taken.")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise DownloadError(f"{where} gives {name} the size {size!r}; a number of bytes is needed.")
    digest = digest.lower() if isinstance(digest, str) else digest
    if digest is not None and (not isinstance(digest, str) or not _SHA256.fullmatch(digest)):
        raise DownloadError(f"{where} gives {name} the sha256 {digest!r}; 64 hexadecimal digits are needed.")
    return Entry(name, size, digest, str(item.get("source") or ""), url if isinstance(url, str) else None)
