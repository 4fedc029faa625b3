"""Unpack zip archives from untrusted sources. Every member is checked before the first byte is unpacked."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from core.download.events import Meter
from core.download.http import SpoiledError, is_web_page, refuse_web_page
from core.errors import DownloadError
from core.generation.events import Event
from core.io.atomic_files import open_new

_BLOCK_BYTES: Final = 1 << 20
_PACKINGS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_UNREADABLE_FLAGS: Final = 0x1 | 0x20 | 0x40  # encrypted, patch of another file, strongly encrypted
# Errors of zipfile for damaged archives: BadZipFile, errors of its decompressors, and RuntimeError if a damaged flag
# requests a password or an unsupported feature.
DAMAGE: Final = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, UnicodeDecodeError)


@dataclass(frozen=True)
class Limits:
    """Limits above which an archive is refused as a zip bomb. Weights hardly compress; text shrinks at most tenfold."""

    members: int = 2000
    total_bytes: int = 32 << 30
    ratio: float = 100.0
    ratio_from_bytes: int = 1 << 20


def plain_name(member: zipfile.ZipInfo) -> str:
    """Return the last part of a member's path; all members are unpacked into one folder."""
    return PurePosixPath(member.filename.replace("\\", "/")).name


def list_members(path: Path, limits: Limits | None = None) -> list[zipfile.ZipInfo]:
    """Check an archive and return its files, without folders and macOS metadata.

    Raises:
        SpoiledError: the file is not a zip archive, or it is damaged.
        DownloadError: the file is a web page, or the archive is refused: it has paths outside the folder, links,
            encryption, or an excessive size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except DAMAGE as error:
        raise _no_zip(path) from error
    if min((member.header_offset for member in members), default=0) > 0:
        # zipfile accepts data before an archive, and a checkpoint is a zip archive too. If an outer archive ends
        # directly after a checkpoint, zipfile would list the content of that checkpoint.
        raise SpoiledError("it is not a complete zip archive")
    for member in members:
        _refuse_unsafe(member)
    _refuse_bomb(members, limits or Limits())
    files = [member for member in members if not member.is_dir() and not _is_note(member)]
    names = [plain_name(member).lower() for member in files]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DownloadError(f"The archive is refused: it has two files with the name {twice}.")
    return files


def _no_zip(path: Path) -> Exception:
    with path.open("rb") as stream:
        first = stream.read(4096)
    if is_web_page(first):
        return refuse_web_page(first.decode("utf-8", errors="replace"), "the source")
    return SpoiledError(f"it is not a zip archive, or it is incomplete (it begins with {first[:8]!r})")


def _refuse_unsafe(member: zipfile.ZipInfo) -> None:
    name = member.filename.replace("\\", "/")
    if name.startswith("/") or PureWindowsPath(name).drive or ".." in PurePosixPath(name).parts:
        raise DownloadError(f"The archive is refused: {member.filename!r} would be written outside the folder.")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise DownloadError(f"The archive is refused: {member.filename!r} is a link or a device, not a file.")
    if member.flag_bits & _UNREADABLE_FLAGS or member.compress_type not in _PACKINGS:
        raise DownloadError(
            f"The archive is refused: {member.filename!r} is encrypted or uses an unsupported compression."
        )


def _refuse_bomb(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    total = sum(member.file_size for member in members)
    if len(members) > limits.members or total > limits.total_bytes:
        raise DownloadError(
            f"The archive is refused: it contains {len(members)} files with {total / 1e9:,.1f} GB in total; "
            f"the limits are {limits.members} files and {limits.total_bytes / 1e9:,.0f} GB."
        )
    for member in members:
        big = member.file_size >= limits.ratio_from_bytes
        if big and member.file_size > limits.ratio * max(member.compress_size, 1):
            raise DownloadError(
                f"The archive is refused: {member.filename!r} would grow from {member.compress_size} "
                f"to {member.file_size} bytes, which is not plausible for a model."
            )


def _is_note(member: zipfile.ZipInfo) -> bool:
    return "__MACOSX" in member.filename or plain_name(member).startswith(".")


def unpack(path: Path, member: zipfile.ZipInfo, target: Path) -> Iterator[Event]:
    """Write one member to ``target``, and never more bytes than the archive declared when it was checked.

    Raises:
        SpoiledError: the member is damaged.
        OSError: the disk is full or not writable.
    """
    meter, done = Meter(target.name, "unpack", member.file_size), 0
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as source, open_new(target) as file:
            while block := source.read(_BLOCK_BYTES):  # zipfile stops at file_size, and checks the CRC there
                file.write(block)
                done += len(block)
                yield meter.progress(done)
    except DAMAGE as error:
        reason = str(error) or "it ends too early"  # the EOFError of zipfile has no text
        raise SpoiledError(f"{member.filename} is damaged in the archive ({reason})") from error


def own_checksums_hold(path: Path) -> bool:
    """Check whether a file is a zip archive, as the weights of torch are, and all of its checksums are correct."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except DAMAGE:
        return False
