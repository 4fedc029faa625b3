"""A partially downloaded file, and the conditions for resuming it."""

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
    """The server's identifiers of the file version to which the received bytes belong."""

    identity: str = ""
    etag: str = ""
    last_modified: str = ""
    total: int | None = None

    @property
    def for_if_range(self) -> str:
        """Return the validator for a range request: a strong ETag, else the date, else an empty text."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class Part:
    """The received bytes of a file (``NAME.part``) and their version (``NAME.part.json``)."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + PART_SUFFIX)
        self._state_file = target.with_name(self.path.name + _STATE_SUFFIX)

    @property
    def size(self) -> int:
        """Return the number of bytes on disk."""
        return self.path.stat().st_size if self.path.is_file() else 0

    @property
    def validators(self) -> Validators:
        """Return the version of the bytes on disk; empty if it is unknown or its file is damaged."""
        try:
            return Validators(**parse_json(self._state_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return Validators()

    def range_headers(self, identity: str, *, trusting: bool) -> dict[str, str]:
        """Return the headers that request the rest of the file. If resuming is not safe, delete the bytes instead.

        Args:
            identity: identity of the wanted file; bytes of another file are deleted.
            trusting: a checksum is known, so the download may be resumed even without validators of the server.
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
        """Start from the first byte. Delete the old bytes before the new version is written, so that both match."""
        self.discard()
        write_whole(self._state_file, json.dumps(asdict(validators)).encode())

    def append(self) -> BinaryIO:
        """Open the file for appending, unbuffered, so that written bytes survive a crash of this process.

        Raises:
            OSError: the file cannot be written, or it is a link, which is not followed.
        """
        handle = os.open(self.path, _FLAGS, 0o666)
        return os.fdopen(handle, "ab", buffering=0)

    def discard(self) -> None:
        """Delete the bytes and their version."""
        self.path.unlink(missing_ok=True)
        self._state_file.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Rename the file to its final name."""
        self.path.replace(target)
        self._state_file.unlink(missing_ok=True)
