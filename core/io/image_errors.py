"""Errors of image decoders for files that are damaged, malicious or not images."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from PIL import Image

UNREADABLE: Final = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError, MemoryError),
    *(NameError, OSError, ReferenceError, RuntimeError, StopIteration, SyntaxError, SystemError, TypeError, ValueError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""Pillow promises no more than OSError, and its decoders raise any of these: a broken EXIF block is a TypeError or a
struct.error, a DDS file may be a NotImplementedError or a KeyError. A damaged image must never end the work on others.
"""
