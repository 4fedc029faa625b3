"""The controls of one class: a check box, the full name of the diagnosis, and a quantity."""

from __future__ import annotations

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QGridLayout, QWidget

from core.classes import CLASS_NAMES
from gui.checkpoint_folder import Availability
from gui.widgets.controls import label, named, spin_box

_LARGEST = 99_999


class ClassRow(QObject):
    """The two controls of a class in the panel's grid.

    Signals:
        changed: the user ticked the class or changed its quantity.
    """

    changed = pyqtSignal()

    def __init__(self, class_name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.class_name = class_name
        self.check = named(QCheckBox(class_name), f"classCheck_{class_name}", "", f"Generate {CLASS_NAMES[class_name]}")
        self.name = label(CLASS_NAMES[class_name], "quiet")
        self.name.setWordWrap(True)
        self.name.setMinimumWidth(110)
        self.quantity = spin_box(f"quantitySpin_{class_name}", "", 1, _LARGEST, 1)
        self.quantity.setAccessibleName(f"Number of images of {CLASS_NAMES[class_name]}")
        self.quantity.setMaximumWidth(84)
        self._usable = False
        self.check.toggled.connect(self._on_toggled)
        self.quantity.valueChanged.connect(lambda _: self.changed.emit())

    def add_to(self, grid: QGridLayout, row: int) -> None:
        """Place the controls in a row of the grid."""
        grid.addWidget(self.check, row, 0)
        grid.addWidget(self.name, row, 1)
        grid.addWidget(self.quantity, row, 2)

    @property
    def wanted(self) -> int:
        """Return the number of requested images; 0 if the class is not ticked or cannot be generated."""
        return self.quantity.value() if self.check.isChecked() and self._usable else 0

    def show_availability(self, availability: Availability) -> None:
        """Enable or disable the class; the tool tip describes its model or gives the reason."""
        self._usable = availability.usable
        text = f"{CLASS_NAMES[self.class_name]}\n{availability.reason}"
        for widget in (self.check, self.name, self.quantity):
            widget.setToolTip(text)
        self.check.setAccessibleDescription(availability.reason)
        self._enable()
        self.changed.emit()

    def _on_toggled(self) -> None:
        self._enable()
        self.changed.emit()

    def _enable(self) -> None:
        self.check.setEnabled(self._usable)
        self.name.setEnabled(self._usable)
        self.quantity.setEnabled(self._usable and self.check.isChecked())
