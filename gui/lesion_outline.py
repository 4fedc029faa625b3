"""The outline of a lesion mask, as a path that can be drawn over the image."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtGui import QBitmap, QImage, QPainterPath, QRegion, QTransform


def read_outline(mask: Path) -> QPainterPath | None:
    """The outline of the lesion in a mask file, in fractions of the image's width and height, 0 to 1.

    None if there is no such file, it cannot be read, or it shows no lesion. Needs a QApplication, as all pixmaps do.
    """
    if not mask.is_file():
        return None
    image = QImage(str(mask))
    if image.isNull():
        return None
    image.invertPixels()  # a bitmap's region covers its dark pixels
    path = QPainterPath()
    path.addRegion(QRegion(QBitmap.fromImage(image)))
    if path.isEmpty():
        return None
    return QTransform.fromScale(1 / image.width(), 1 / image.height()).map(path.simplified())
