"""The interface between a source and the installer: a label and a list of files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.download.fetch import Network
from core.generation.events import Event


@dataclass(frozen=True)
class Item:
    """One file of a source. ``deliver`` writes the complete file to the given path."""

    name: str
    bytes: int | None
    sha256: str | None
    deliver: Callable[[Path], Iterator[Event]]


class Source(Protocol):
    """A source of models."""

    @property
    def label(self) -> str:
        """Return the name of the source for messages and the manifest, without secrets and equal in every run."""

    def offer(self, staging: Path, network: Network) -> Generator[Event, None, list[Item]]:
        """List the files of the source. Files needed for this are downloaded into ``staging``.

        Raises:
            DownloadError: the source cannot be reached, or is not valid.
        """
