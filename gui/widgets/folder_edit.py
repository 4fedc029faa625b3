"""A text field for a folder, with a button to choose it."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from gui.dialogs import choose_folder
from gui.widgets.controls import named, tool_button


class FolderEdit(QWidget):
    """One folder.

    Signals:
        changed: the text changed.
    """

    changed = pyqtSignal()

    def __init__(self, object_name: str, tool_tip: str, title: str) -> None:
        super().__init__()
        self._title = title
        self.edit = named(QLineEdit(), f"{object_name}Edit", tool_tip)
        self.button = tool_button(f"{object_name}Button", "mdi6.folder-outline", f"{title}.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.edit, 1)
        layout.addWidget(self.button)
        self.setFocusProxy(self.edit)
        self.edit.textChanged.connect(lambda _: self.changed.emit())
        self.button.clicked.connect(self._choose)

    @property
    def folder(self) -> Path | None:
        """Return the folder in the field; None if the field is empty."""
        text = self.edit.text().strip()
        return Path(text).expanduser() if text else None

    def show_folder(self, folder: Path | str) -> None:
        """Show a folder in the field."""
        self.edit.setText(str(folder))
        self.edit.setCursorPosition(0)  # show the beginning of a long path

    def _choose(self) -> None:
        if chosen := choose_folder(self, self._title, self.edit.text()):
            self.show_folder(chosen)
