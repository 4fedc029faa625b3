"""The chosen image: a thumbnail, its parameters, and its class probabilities."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QPixmap
from PyQt5.QtWidgets import QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from core.classes import CLASS_NAMES
from core.generation.wording import reuse_in_words
from core.models.conditions import UNKNOWN
from core.output.image_file import ImageParameters
from gui.tasks.browsing import ImageFacts
from gui.widgets.controls import ColumnScroll, label, named, plain_tool_tip, tool_button
from gui.widgets.probability_bars import ProbabilityBars

_EXPLAIN_TIP = "Compute the class probabilities and an overlay in the background. Takes some seconds."
_PICTURE = 88
_ROWS = ("Class", "Seed", "Steps", "Checkpoint", "Made")


class ImageDetails(QWidget):
    """Shows ``ImageFacts``.

    Signals:
        explain: the user requests class probabilities and an overlay of the image (path).
    """

    explain = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.title = named(label("", "heading"), "imageTitleLabel", "The chosen image.")
        self.explain_button = tool_button("explainButton", "mdi6.eye-outline", _EXPLAIN_TIP, "Explain")
        self.explain_button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self._path: Path | None = None
        self.picture = named(label(""), "imagePictureLabel", "The chosen image.")
        self.picture.setAlignment(Qt.AlignTop)
        self.rows = {name: named(label(""), f"image{name}Label", f"{name} of the chosen image.") for name in _ROWS}
        self.probabilities = ProbabilityBars()
        self.problem = named(label("", "quiet"), "imageProblemLabel", "Why the parameters of the image are unknown.")
        self.problem.setWordWrap(True)
        self._lay_out()
        self.explain_button.clicked.connect(lambda: self.explain.emit(self._path))
        self.clear()

    def _lay_out(self) -> None:
        self._form, known = QWidget(), QWidget()
        form = QFormLayout(self._form)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(2)
        form.setHorizontalSpacing(10)
        for name, value in self.rows.items():
            value.setWordWrap(True)
            value.setTextInteractionFlags(Qt.TextSelectableByMouse)
            form.addRow(label(name, "quiet"), value)
        column = QVBoxLayout(known)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.probabilities)
        column.addWidget(self._form)
        column.addStretch(1)
        self._facts = QWidget()
        line = QHBoxLayout(self._facts)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.picture)
        line.addWidget(ColumnScroll(known), 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        heading = QHBoxLayout()
        heading.addWidget(self.title, 1)
        heading.addWidget(self.explain_button)
        layout.addLayout(heading)
        layout.addWidget(self.problem)
        layout.addWidget(self._facts, 1)
        layout.addStretch(0)

    def clear(self) -> None:
        """Show an empty panel."""
        self.title.setText("No image chosen")
        self.problem.setText("Click an image to see its parameters.")
        self.problem.show()
        self.explain_button.hide()
        self._facts.hide()

    def show_facts(self, facts: ImageFacts) -> None:
        """Show an image."""
        self._path = facts.path
        self.explain_button.setVisible(facts.explained is None and not facts.picture.isNull())
        self.title.setText(f"{facts.path.parent.name}/{facts.path.name}")
        self.title.setToolTip(plain_tool_tip(str(facts.path)))
        self.picture.clear()
        if not facts.picture.isNull():
            size = QSize(_PICTURE, _PICTURE) * self.devicePixelRatioF()
            pixmap = QPixmap.fromImage(facts.picture.scaled(size, Qt.KeepAspectRatio, Qt.SmoothTransformation))
            pixmap.setDevicePixelRatio(self.devicePixelRatioF())
            self.picture.setPixmap(pixmap)
        self.problem.setText(facts.problem)
        self.problem.setVisible(bool(facts.problem))
        self._facts.show()
        self._form.setVisible(facts.parameters is not None)
        if facts.parameters is not None:
            for name, text in _in_words(facts.parameters).items():
                self.rows[name].setText(text)
        self.probabilities.show_explained(facts.explained)


def _in_words(parameters: ImageParameters) -> dict[str, str]:
    kind = "demonstration weights, " if parameters.demonstration else ""
    color = "colours adjusted" if parameters.color_adjustment else "colours as generated"
    how = f"{parameters.sampler}{reuse_in_words(parameters.reuse)}"
    return {
        "Class": _what_it_shows(parameters),
        "Seed": f"{parameters.seed} (base seed {parameters.base_seed})",
        "Steps": f"{parameters.steps}, {how}, {parameters.precision} on {parameters.device}",
        "Checkpoint": f"{parameters.checkpoint} ({kind}sha256 {parameters.checkpoint_sha256[:12]}…)",
        "Made": f"{parameters.generated_at.replace('T', ' ').replace('+00:00', ' UTC')}, {color}",
    }


def _what_it_shows(parameters: ImageParameters) -> str:
    """Return the class, or the condition of a metadata-conditioned model, as text."""
    if parameters.condition is None:
        return f"{parameters.class_name}, {CLASS_NAMES[parameters.class_name]}"
    fields = {"class": parameters.condition.class_name or UNKNOWN, **parameters.condition.to_row()}
    known = ", ".join(f"{name} {value}" for name, value in fields.items() if value != UNKNOWN and name != "age_group")
    guidance = "" if parameters.guidance is None else f" (guidance {parameters.guidance:g})"
    return f"{known or 'all properties unknown'}{guidance}"
