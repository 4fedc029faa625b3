"""The probabilities of all classes as bars, with the name of the classifier."""

from __future__ import annotations

from collections.abc import Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QGridLayout, QLabel, QProgressBar, QWidget

from core.classes import CLASS_NAMES, CLASSES
from gui.explanation_results import Explained
from gui.widgets.controls import label, named

_BAR_HEIGHT, _BAR_WIDTH = 7, 60
_PERMILLE = 1000


class ProbabilityBars(QWidget):
    """Shows the class probabilities of an ``Explained``, or a note if there is none."""

    def __init__(self) -> None:
        super().__init__()
        named(self, "imageProbabilities", "Class probabilities of the chosen image.")
        self.note = named(label("", "quiet"), "imageProbabilitiesLabel", "Classifier of these probabilities.")
        self.note.setWordWrap(True)
        self.bars = {name: self._bar(name) for name in CLASSES}
        self.percents = {name: label("") for name in CLASSES}
        self._names = {name: self._name(name) for name in CLASSES}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(1)
        self._grid.setColumnStretch(1, 1)
        self._grid.addWidget(self.note, len(CLASSES), 0, 1, 3)
        self._order(CLASSES)
        self.show_explained(None)

    def _order(self, class_names: Sequence[str]) -> None:
        for row, name in enumerate(class_names):
            for column, widget in enumerate((self._names[name], self.bars[name], self.percents[name])):
                self._grid.addWidget(widget, row, column)

    def _bar(self, class_name: str) -> QProgressBar:
        bar = named(QProgressBar(), f"probabilityBar_{class_name}", f"Probability of {CLASS_NAMES[class_name]}.")
        bar.setRange(0, _PERMILLE)
        bar.setTextVisible(False)
        bar.setFixedHeight(_BAR_HEIGHT)
        bar.setMinimumWidth(_BAR_WIDTH)
        return bar

    def _name(self, class_name: str) -> QLabel:
        made = label(class_name)
        made.setToolTip(CLASS_NAMES[class_name])
        return made

    def show_explained(self, explained: Explained | None) -> None:
        """Show the probabilities of an explanation, the most probable class first."""
        if explained is not None:
            self._order(sorted(CLASSES, key=lambda name: -explained.probabilities[name]))
        for name in CLASSES:
            for widget in (self._names[name], self.bars[name], self.percents[name]):
                widget.setVisible(explained is not None)
            if explained is not None:
                value = explained.probabilities[name]
                self.bars[name].setValue(round(_PERMILLE * value))
                self.percents[name].setText(f"{value:.1%}")
                self.percents[name].setAlignment(Qt.AlignRight | Qt.AlignVCenter)
        self.note.setText(explained.source if explained else "Class probabilities: not explained yet.")
