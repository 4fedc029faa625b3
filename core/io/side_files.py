"""Write auxiliary files of a training run, such as its log. If one cannot be written, the run warns and continues."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path


class SideFiles:
    """The auxiliary files of one training run, such as its table of losses. Each failure is reported once.

    Args:
        warn: receives the warning.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._reported: set[Path] = set()  # warn once, not at every validation of a long run

    @contextlib.contextmanager
    def continue_without(self, file: Path) -> Iterator[None]:
        """Catch a write error of the block, for example a full disk, or a file opened by another program on Windows.

        Args:
            file: the file that the block writes, or its folder.
        """
        try:
            yield
        except OSError as error:
            if file not in self._reported:
                self._reported.add(file)
                self._warn(
                    f"{file} cannot be written ({error.strerror or error}); the training continues and tries again "
                    "later. Close the file in other programs, or free disk space."
                )
