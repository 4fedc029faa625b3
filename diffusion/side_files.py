"""Files that tell of a run without being its result: one that cannot be written costs a line, and not the run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm


@contextlib.contextmanager
def going_on_without(file: Path, told: set[Path]) -> Iterator[None]:
    """Let the block fail to write ``file``, as on a full disk, or on Windows where another program holds it open.

    Args:
        file: what the block writes, or the folder that it writes into.
        told: of which it has been said; said once, and not at every validation of a long run.
    """
    try:
        yield
    except OSError as error:
        if file not in told:
            told.add(file)
            tqdm.write(
                f"{file} cannot be written ({error.strerror or error}); the training goes on and tries again later. "
                "Close it where it is open, or make room."
            )
