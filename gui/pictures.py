"""Convert pixels and image files to QImage. Unlike QPixmap, a QImage can be created on any thread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtGui import QImage, QImageReader

if TYPE_CHECKING:
    import numpy as np


def from_pixels(pixels: np.ndarray) -> QImage:
    """Return a QImage of uint8 (H, W, 3) RGB pixels that owns its memory."""
    height, width, _ = pixels.shape
    data = pixels.tobytes()
    return QImage(data, width, height, 3 * width, QImage.Format_RGB888).copy()


def read_picture(path: Path, largest: int | None = None) -> QImage:
    """Read an image file and scale it down to at most ``largest`` pixels; return a null QImage if it is unreadable."""
    if not path.is_file():  # reading a FIFO would wait for a writer
        return QImage()
    reader = QImageReader(str(path))
    reader.setDecideFormatFromContent(True)
    if largest is not None:
        # Some formats can be scaled while they are read, which is much faster for large photographs.
        size = reader.size()
        if size.isValid() and max(size.width(), size.height()) > largest:
            reader.setScaledSize(size.scaled(QSize(largest, largest), Qt.KeepAspectRatio))
    return reader.read()
