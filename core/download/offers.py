"""What a source is to the installer: a label, and a list of files that it can deliver."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.download.fetch import Network
from core.generation.events import Event


@dataclass(frozen=True)
class Item:
    """One file that a source offers. ``deliver`` brings it, whole, to the path it is given."""

    name: str
    bytes: int | None
    sha256: str | None
    deliver: Callable[[Path], Iterator[Event]]


class Source(Protocol):
    """Where models come from."""

    @property
    def label(self) -> str:
        """Stands for the source in messages and in the manifest: no secrets, the same from run to run."""

    def offer(self, staging: Path, network: Network) -> Generator[Event, None, list[Item]]:
        """List what there is, fetching into ``staging`` what it takes to know.

        Raises:
            DownloadError: the source cannot be reached, or is not what it says.
        """
