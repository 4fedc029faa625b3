"""Files that tell of a run without being its result: one that cannot be written costs a line, and not the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path


class SideFiles:
    """The side files of one training, as its table of losses; each that cannot be written is told of once.

    Args:
        tell: gets the sentence.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: set[Path] = set()  # said once, and not at every validation of a long run

    @contextlib.contextmanager
    def going_on_without(self, file: Path) -> Iterator[None]:
        """Let the block fail to write, as on a full disk, or on Windows where another program holds the file open.

        Args:
            file: what the block writes, or the folder that it writes into.
        """
        try:
            yield
        except OSError as error:
            if file not in self._told:
                self._told.add(file)
                self._tell(
                    f"{file} cannot be written ({error.strerror or error}); the training goes on and tries again "
                    "later. Close it where it is open, or make room."
                )
