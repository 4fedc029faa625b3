"""The images of one class folder as a Qt model. Thumbnails are created when they come into view."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, QSize, Qt
from PyQt5.QtGui import QColor, QIcon, QImage, QPixmap

from gui.tasks.browsing import Thumbnails

THUMBNAIL: Final = 72
_SHARP: Final = 2 * THUMBNAIL  # enough for a screen of twice the density
_MOST_THUMBNAILS: Final = 600  # 144 px squares of 4 bytes: 50 MB


class ImageListModel(QAbstractListModel):
    """Suitable for many thousands of images: a row stores its name; the view requests thumbnails when needed."""

    def __init__(self, thumbnails: Thumbnails, parent: QObject) -> None:
        super().__init__(parent)
        self._folder = Path()
        self._names: list[str] = []
        self._rows: dict[str, int] = {}
        self._thumbnails = thumbnails
        self._icons: OrderedDict[str, QIcon] = OrderedDict()
        self._asked: set[str] = set()
        self._placeholder = QIcon(_blank())
        thumbnails.made.connect(self._on_made)

    def show_folder(self, folder: Path, names: list[str]) -> None:
        """Show the images of a folder."""
        if folder == self._folder and names[: len(self._names)] == self._names:
            self._insert(names[len(self._names) :])  # only new images: keep the selection and the scroll position
            return
        self.beginResetModel()
        self._thumbnails.forget()
        self._asked.clear()
        if folder != self._folder:
            self._icons.clear()
        self._folder, self._names = folder, list(names)
        self._rows = {name: row for row, name in enumerate(names)}
        self.endResetModel()

    def append(self, path: Path) -> None:
        """Add a new image if it belongs to the displayed folder."""
        if path.parent == self._folder and path.name not in self._rows:
            self._insert([path.name])

    def path(self, index: QModelIndex) -> Path:
        """Return the file of a row."""
        return self._folder / self._names[index.row()]

    def row_of(self, path: Path) -> int | None:
        """Return the row of a file; None if it is not in the list."""
        return self._rows.get(path.name) if path.parent == self._folder else None

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        """Return the number of images."""
        return 0 if parent is not None and parent.isValid() else len(self._names)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return the name, thumbnail or tool tip of a row."""
        if not index.isValid() or index.row() >= len(self._names):
            return None
        name = self._names[index.row()]
        if role == Qt.DisplayRole:
            return name.removeprefix("ISIC_").removesuffix(".png")
        if role in (Qt.ToolTipRole, Qt.AccessibleTextRole):
            return name
        if role == Qt.DecorationRole:
            return self._icon(name)
        return None

    def _insert(self, names: list[str]) -> None:
        if names:
            first = len(self._names)
            self.beginInsertRows(QModelIndex(), first, first + len(names) - 1)
            self._names += names
            self._rows |= {name: first + offset for offset, name in enumerate(names)}
            self.endInsertRows()

    def _icon(self, name: str) -> QIcon:
        if name in self._icons:
            self._icons.move_to_end(name)
            return self._icons[name]
        if name not in self._asked:
            self._asked.add(name)
            self._thumbnails.request(str(self._folder / name))
        return self._placeholder

    def _on_made(self, text: str, picture: QImage) -> None:
        path = Path(text)
        row = self.row_of(path)
        if row is None:
            return
        self._asked.discard(path.name)
        self._icons[path.name] = self._placeholder if picture.isNull() else _icon_of(picture)
        while len(self._icons) > _MOST_THUMBNAILS:
            self._icons.popitem(last=False)
        index = self.index(row)
        self.dataChanged.emit(index, index, [Qt.DecorationRole])


def _icon_of(picture: QImage) -> QIcon:
    square = picture.scaled(QSize(_SHARP, _SHARP), Qt.KeepAspectRatio, Qt.SmoothTransformation)
    icon = QIcon(QPixmap.fromImage(square))
    # The style would tint the selected image blue, but users judge these images by their colours.
    icon.addPixmap(QPixmap.fromImage(square), QIcon.Selected)
    return icon


def _blank() -> QPixmap:
    pixmap = QPixmap(THUMBNAIL, THUMBNAIL)
    pixmap.fill(QColor(128, 128, 128, 60))
    return pixmap
