"""Left column: the classes, the number of images per class, and the expected duration and disk space."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from core.classes import CLASSES
from core.generation.wording import counted_images
from gui.checkpoint_folder import Availability
from gui.remaining_time import in_words, size_in_words
from gui.widgets.class_row import ClassRow
from gui.widgets.controls import heading_line, label, named, tool_button


class ClassPanel(QWidget):
    """The class configuration.

    Signals:
        changed: the chosen classes or a quantity changed.
    """

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.rows = {name: ClassRow(name, self) for name in CLASSES}
        self.total_label = named(label("", "heading"), "totalLabel", "Number of images that Start generates.")
        self.estimate_label = named(label("", "quiet"), "estimateLabel", "Expected duration and disk space.")
        self.estimate_label.setWordWrap(True)
        self._lay_out()
        for row in self.rows.values():
            row.changed.connect(self.changed)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        grid.setVerticalSpacing(4)
        for index, row in enumerate(self.rows.values()):
            row.add_to(grid, index)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._heading())
        layout.addLayout(grid)
        layout.addWidget(self.total_label)
        layout.addWidget(self.estimate_label)

    def _heading(self) -> QHBoxLayout:
        everything = tool_button("allClassesButton", "mdi6.check-all", "Tick every class that can be generated.")
        nothing = tool_button("noClassesButton", "mdi6.checkbox-blank-off-outline", "Untick every class.")
        everything.clicked.connect(lambda: self.tick(CLASSES))
        nothing.clicked.connect(lambda: self.tick(()))
        return heading_line("Classes and quantities", everything, nothing)

    def tick(self, classes: tuple[str, ...] | list[str]) -> None:
        """Choose exactly these classes, except those that cannot be generated."""
        for name, row in self.rows.items():
            row.check.setChecked(name in classes and row.check.isEnabledTo(self))  # itself, locked or not

    def fill(self, quantities: Mapping[str, int], chosen: list[str]) -> None:
        """Show stored quantities and classes, also for classes that cannot be generated now."""
        for name, row in self.rows.items():
            row.quantity.setValue(quantities.get(name, row.quantity.value()))
            row.check.setChecked(name in chosen)

    def show_availability(self, classes: Mapping[str, Availability]) -> None:
        """Enable the classes that can be generated."""
        for name, row in self.rows.items():
            row.show_availability(classes[name])

    @property
    def quantities(self) -> dict[str, int]:
        """Return all quantities, also of classes that are not ticked."""
        return {name: row.quantity.value() for name, row in self.rows.items()}

    @property
    def chosen(self) -> list[str]:
        """Return the classes that Start generates."""
        return [name for name, row in self.rows.items() if row.wanted]

    def show_forecast(self, seconds: float | None, size: float | None) -> None:
        """Show the expected seconds and bytes; None hides a value."""
        total = sum(row.wanted for row in self.rows.values())
        classes = len(self.chosen)
        self.total_label.setText(
            f"{counted_images(total)} of {classes} class{'es' * (classes != 1)}" if total else "No class chosen"
        )
        parts = [in_words(seconds)] if total and seconds is not None else []
        parts += [f"{size_in_words(size)} on disk"] if total and size is not None else []
        text = ", ".join(parts)
        self.estimate_label.setText(text[:1].upper() + text[1:])
        self.estimate_label.setVisible(bool(parts))
