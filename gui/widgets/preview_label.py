"""The preview: a scaled image with an overlay of adjustable opacity or a before/after divider."""

from __future__ import annotations

import time
from pathlib import Path

from PyQt5.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QResizeEvent,
    QTransform,
)
from PyQt5.QtWidgets import QFrame, QLabel, QSizePolicy

from core.output.lesion_mask import mask_of_image
from gui.lesion_outline import read_outline
from gui.widgets.controls import named

_HINT = "The image appears here"
_SMOOTH_ABOVE = 96  # pixels; smaller images are scaled without smoothing
_DIVIDER = 3
_HOLD_S = 4.0  # during a job, the next estimate would replace an overlay immediately


class PreviewLabel(QLabel):
    """Shows one image.

    Signals:
        clicked: the user clicked a finished image (path).
    """

    clicked = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__(_HINT)
        self.setTextFormat(Qt.PlainText)
        named(self, "previewLabel", "Live preview. Click a finished image to open it in the default viewer.")
        self.setAlignment(Qt.AlignCenter)
        self.setFrameShape(QFrame.StyledPanel)
        self.setMinimumSize(160, 160)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setMouseTracking(True)
        self.file: Path | None = None
        self._picture: QImage | None = None
        self._overlay: QImage | None = None
        self._opacity = 0.6
        self._comparing = False
        self._divider = 0.5
        self._hold_until = 0.0
        self._outline: QPainterPath | None = None
        self._outlining = False

    @property
    def holds_overlay(self) -> bool:
        """Return whether the overlay is new and should stay visible for some seconds."""
        return self._overlay is not None and time.monotonic() < self._hold_until

    @property
    def shown(self) -> QImage | None:
        """Return the displayed image, unscaled."""
        return self._picture

    @property
    def overlay(self) -> QImage | None:
        """Return the displayed overlay, unscaled."""
        return self._overlay

    def show_picture(self, picture: QImage, file: Path | None = None) -> None:
        """Show an image; ``file`` is the path of a finished image, None for an estimate."""
        self._picture, self.file, self._overlay = picture, file, None
        self._outline = None if file is None else read_outline(mask_of_image(file))
        self.setCursor(Qt.PointingHandCursor if file else Qt.ArrowCursor)
        self._compose()

    def show_overlay(self, overlay: QImage) -> None:
        """Show an overlay over the image."""
        self._overlay, self._hold_until = overlay, time.monotonic() + _HOLD_S
        self._compose()

    def set_opacity(self, percent: int) -> None:
        """Set the opacity of the overlay, 0 to 100."""
        self._opacity = percent / 100
        self._compose()

    @property
    def outline(self) -> QPainterPath | None:
        """The outline of the lesion in the shown image, if it has a mask and outlines are switched on."""
        return self._outline if self._outlining else None

    def show_outline(self, shown: bool) -> None:
        """Draw the outline of the lesion over images that have a mask."""
        self._outlining = shown
        self._compose()

    def compare(self, comparing: bool) -> None:
        """Show the overlay only to the right of a divider that follows the mouse, or everywhere."""
        self._comparing = comparing
        self._compose()

    def clear_picture(self) -> None:
        """Remove the image and the overlay."""
        self._picture = self._overlay = self._outline = self.file = None
        self.setCursor(Qt.ArrowCursor)
        self.setText(_HINT)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a constant size, so that images do not change the layout of the window."""
        return QSize(420, 420)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a constant minimum size."""
        return QSize(160, 160)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Scale the image again."""
        super().resizeEvent(event)
        self._compose()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Move the divider."""
        if self._comparing and self._overlay is not None and self.pixmap():
            width = self.pixmap().width() / self.pixmap().devicePixelRatio()
            left = (self.width() - width) / 2
            self._divider = min(1.0, max(0.0, (event.x() - left) / max(1.0, width)))
            self._compose()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Emit ``clicked`` for a finished image."""
        if event.button() == Qt.LeftButton and self.file is not None and self.rect().contains(event.pos()):
            self.clicked.emit(self.file)

    def _compose(self) -> None:
        if self._picture is None or self._picture.isNull():
            return
        ratio = self.devicePixelRatioF()
        area = self.contentsRect().size() * ratio
        scaled = _scaled(self._picture, area)
        scaled.setDevicePixelRatio(ratio)
        if self._overlay is not None:
            self._paint_overlay(scaled, ratio)
        if self.outline is not None:
            _paint_outline(scaled, ratio, self.outline)
        self.setPixmap(scaled)

    def _paint_overlay(self, target: QPixmap, ratio: float) -> None:
        if self._overlay is None:
            return
        width, height = target.width() / ratio, target.height() / ratio
        left = width * self._divider if self._comparing else 0.0
        painter = QPainter(target)
        painter.setClipRect(QRectF(left, 0, width - left, height))
        painter.setOpacity(self._opacity)
        painter.drawPixmap(QRectF(0, 0, width, height), QPixmap.fromImage(self._overlay), QRectF(self._overlay.rect()))
        if self._comparing:
            painter.setClipping(False)
            painter.setOpacity(1.0)
            painter.fillRect(QRectF(left - _DIVIDER / 2, 0, _DIVIDER, height), QColor("white"))
        painter.end()


def _paint_outline(target: QPixmap, ratio: float, outline: QPainterPath) -> None:
    """A light line on a dark one, which is seen on any colour."""
    scale = QTransform.fromScale(target.width() / ratio, target.height() / ratio)
    path = scale.map(outline)
    painter = QPainter(target)
    painter.setRenderHint(QPainter.Antialiasing)
    for width, colour in ((3.0, "black"), (1.5, "white")):
        painter.setPen(QPen(QColor(colour), width))
        painter.drawPath(path)
    painter.end()


def _scaled(picture: QImage, area: QSize) -> QPixmap:
    small = max(picture.width(), picture.height()) < _SMOOTH_ABOVE
    how = Qt.FastTransformation if small else Qt.SmoothTransformation
    return QPixmap.fromImage(picture.scaled(area, Qt.KeepAspectRatio, how))
