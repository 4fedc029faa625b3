"""The preview: a picture scaled in proportion, with an overlay of adjustable opacity or a before/after divider."""

from __future__ import annotations

import time
from pathlib import Path

from PyQt5.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QImage, QMouseEvent, QPainter, QPixmap, QResizeEvent
from PyQt5.QtWidgets import QFrame, QLabel, QSizePolicy

from gui.widgets.controls import named

_HINT = "The image appears here"
_SMOOTH_ABOVE = 96  # pixels; a smaller picture shows its pixels as they are rather than a blur
_DIVIDER = 3
_HOLD_S = 4.0  # during a job, the next estimate would cover an overlay at once


class PreviewLabel(QLabel):
    """Shows one picture.

    Signals:
        clicked: the file of the picture; only when the picture is a finished image.
    """

    clicked = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__(_HINT)
        named(self, "previewLabel", "Live preview. Click a finished image to open it in the system's viewer.")
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

    @property
    def holds_overlay(self) -> bool:
        """Whether an overlay came so lately that it is still to be looked at."""
        return self._overlay is not None and time.monotonic() < self._hold_until

    @property
    def shown(self) -> QImage | None:
        """What is shown, unscaled."""
        return self._picture

    @property
    def overlay(self) -> QImage | None:
        """What is laid over it, unscaled."""
        return self._overlay

    def show_picture(self, picture: QImage, file: Path | None = None) -> None:
        """Show a picture; ``file`` is the finished image that it is of, None for an estimate."""
        self._picture, self.file, self._overlay = picture, file, None
        self.setCursor(Qt.PointingHandCursor if file else Qt.ArrowCursor)
        self._compose()

    def show_overlay(self, overlay: QImage) -> None:
        """Lay an explanation over the picture."""
        self._overlay, self._hold_until = overlay, time.monotonic() + _HOLD_S
        self._compose()

    def set_opacity(self, percent: int) -> None:
        """Opacity of the overlay, 0 to 100."""
        self._opacity = percent / 100
        self._compose()

    def compare(self, comparing: bool) -> None:
        """Before/after: the overlay only to the right of a divider, which follows the mouse."""
        self._comparing = comparing
        self._compose()

    def clear_picture(self) -> None:
        """Show nothing again."""
        self._picture = self._overlay = self.file = None
        self.setCursor(Qt.ArrowCursor)
        self.setText(_HINT)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A constant size: following the pixmap's would let every picture push the window apart."""
        return QSize(420, 420)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """The same for the smallest size."""
        return QSize(160, 160)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Scale again."""
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
        """A click opens the image."""
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


def _scaled(picture: QImage, area: QSize) -> QPixmap:
    small = max(picture.width(), picture.height()) < _SMOOTH_ABOVE
    how = Qt.FastTransformation if small else Qt.SmoothTransformation
    return QPixmap.fromImage(picture.scaled(area, Qt.KeepAspectRatio, how))
