"""Standard streams that never interrupt the work, even if they are closed, on a full disk, or a pipe without a reader.

Text that cannot be written is dropped, and the first failure is kept for ``lost_output``. The results of most commands
are files, so these commands still finish. A command whose result is its output fails at the end instead.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final, TextIO, cast

_STANDARD_DESCRIPTORS: Final = 3
_ENDED_PIPE: Final = (errno.EPIPE, errno.EINVAL)  # Windows reports the latter


class _LastingStream:
    """A text stream that writes to the null device after its first failure.

    Attributes:
        failure: why text was dropped; None if all text was written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write or drop a text; return its length."""
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write or drop some texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write or drop the buffered text."""
        with self._dropping():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error
            with contextlib.suppress(OSError):  # the buffered text is still there, and Python writes it at exit
                _onto_the_null_device(self._stream.fileno())


@contextlib.contextmanager
def lasting_streams() -> Iterator[None]:
    """Replace ``sys.stdout`` and ``sys.stderr`` by streams that never fail, until the block ends. Blocks may nest.

    A character that the console cannot encode is replaced by a question mark.
    """
    _open_missing_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = lasting = _lasting(sys.stdout), _lasting(sys.stderr)
    try:
        yield
    finally:
        for stream in lasting:
            stream.flush()
        sys.stdout, sys.stderr = before


def lost_output() -> OSError | None:
    """Return why printed text was lost within ``lasting_streams``; None if no text was lost."""
    sys.stdout.flush()
    return getattr(sys.stdout, "failure", None)


def is_ended_pipe(failure: OSError) -> bool:
    """Check whether the reader has closed the pipe, as ``| head`` does."""
    return failure.errno in _ENDED_PIPE


def _lasting(stream: TextIO | None) -> TextIO:
    """Return a stream that never fails. The replaced streams of a notebook are returned unchanged."""
    if stream is None:  # closed when Python started, or a program without a console
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - until the process ends
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.reconfigure(errors="replace")
    if os.name != "nt":
        with contextlib.suppress(OSError):  # otherwise a full pipe fails if another program has made it non-blocking
            os.set_blocking(stream.fileno(), True)
    return cast("TextIO", _LastingStream(stream))


def _open_missing_descriptors() -> None:
    """Open closed standard descriptors on the null device: else the next file that is opened would get their number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _STANDARD_DESCRIPTORS:
        pass
    os.close(descriptor)


def _onto_the_null_device(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
