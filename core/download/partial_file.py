"""A half-fetched file on disk, and what must hold for it to be gone on with."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

from core.io.atomic_files import PART_SUFFIX, write_whole
from core.io.json_text import parse_json

_STATE_SUFFIX: Final = ".json"
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Validators:
    """What the server said of the version that the bytes belong to."""

    identity: str = ""
    etag: str = ""
    last_modified: str = ""
    total: int | None = None

    @property
    def for_if_range(self) -> str:
        """The validator that a range request may carry: a strong ETag, else the date, else none."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class Part:
    """The bytes of a file so far (``NAME.part``) and their version (``NAME.part.json``)."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + PART_SUFFIX)
        self._state_file = target.with_name(self.path.name + _STATE_SUFFIX)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def validators(self) -> Validators:
        """What is known of the version on disk; empty where nothing is, or the note is damaged."""
        try:
            return Validators(**parse_json(self._state_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Validators()

    def range_headers(self, identity: str, *, trusting: bool) -> dict[str, str]:
        """Headers that ask for the rest, or none where only a fresh start is safe; then the bytes are dropped.

        Args:
            identity: what is being fetched; bytes of something else are of no use.
            trusting: a checksum will tell a spliced file, so a server without validators may be resumed too.
        """
        known = self.validators
        if not self.size or known.identity != identity or not (known.for_if_range or trusting):
            self.discard()
            return {}
        headers = {"Range": f"bytes={self.size}-"}
        if known.for_if_range:
            headers["If-Range"] = known.for_if_range
        return headers

    def begin(self, validators: Validators) -> None:
        """Start afresh. The old bytes go before the new note comes: no moment has new note and old bytes."""
        self.discard()
        write_whole(self._state_file, json.dumps(asdict(validators)).encode())

    def append(self) -> BinaryIO:
        """Open for more bytes, unbuffered: what was written survives the death of this process.

        Raises:
            OSError: the file cannot be written, or a link has its name, which is not followed.
        """
        handle = os.open(self.path, _FLAGS, 0o666)
        return os.fdopen(handle, "ab", buffering=0)

    def discard(self) -> None:
        """Drop the bytes and the note."""
        self.path.unlink(missing_ok=True)
        self._state_file.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the file its name."""
        self.path.replace(target)
        self._state_file.unlink(missing_ok=True)
