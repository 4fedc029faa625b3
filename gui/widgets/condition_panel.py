"""Left column, instead of the classes: properties of lesion and patient for a metadata-conditioned model."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QVBoxLayout, QWidget

from core.classes import CLASSES
from core.models.conditions import SEXES, SITES, TONES, UNKNOWN, Condition
from gui.widgets.controls import calm, heading_line, label, named, spin_box

_UNKNOWN_AGE = -1
_NOTE = (
    "One model generates all images. They follow the known properties; unknown properties vary. "
    "Choose a separate output folder for these images."
)
_MELANOCYTIC: tuple[tuple[str, bool | None], ...] = ((UNKNOWN, None), ("yes", True), ("no", False))
_AGE_TIP = "Age in years. The model distinguishes three groups: below 40, 40 to 65, above 65."
_GUIDANCE_TIP = "How strongly images follow the known properties. 1: as in the training data; higher: exaggerated."


class ConditionPanel(QWidget):
    """The controls for a condition, its guidance scale, and the number of images.

    Signals:
        changed: a value changed.
    """

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.melanocytic = _choices("conditionMelanocyticCombo", "Whether the lesion is melanocytic.")
        self.diagnosis = _choices("conditionClassCombo", "Class of the lesion, for models that know it.")
        self.tone = _choices("conditionToneCombo", "Skin tone, for models that know it.")
        self.sex = _choices("conditionSexCombo", "Sex of the patient.")
        self.site = _choices("conditionSiteCombo", "Body site of the lesion.")
        self.age = spin_box("conditionAgeSpin", _AGE_TIP, _UNKNOWN_AGE, 120, _UNKNOWN_AGE)
        self.guidance = calm(named(QDoubleSpinBox(), "conditionGuidanceSpin", _GUIDANCE_TIP))
        self.quantity = spin_box("conditionQuantitySpin", "Number of images.", 1, 99_999, 5)
        self._finish_controls()
        self._lay_out()

    def _finish_controls(self) -> None:
        self.melanocytic.addItems([text for text, _ in _MELANOCYTIC])
        for combo, values in (
            (self.diagnosis, CLASSES),
            (self.sex, SEXES),
            (self.site, SITES),
            (self.tone, TONES),
        ):
            combo.addItem(UNKNOWN, None)
            for value in values:
                combo.addItem(value, value)
        self.age.setSpecialValueText(UNKNOWN)
        self.guidance.setRange(0.0, 20.0)
        self.guidance.setSingleStep(0.5)
        self.guidance.setDecimals(1)
        for combo in (self.diagnosis, self.melanocytic, self.sex, self.site, self.tone):
            combo.currentIndexChanged.connect(lambda _: self.changed.emit())
        for spin in (self.age, self.guidance, self.quantity):
            spin.valueChanged.connect(lambda _: self.changed.emit())

    def _lay_out(self) -> None:
        note = label(_NOTE, "quiet")
        note.setWordWrap(True)
        form = QFormLayout()
        form.setVerticalSpacing(4)
        for text, widget in (
            ("Class", self.diagnosis),
            ("&Melanocytic", self.melanocytic),
            ("Sex", self.sex),
            ("&Age", self.age),
            ("S&ite", self.site),
            ("Skin tone", self.tone),
            ("&Guidance", self.guidance),
            ("&Number", self.quantity),
        ):
            form.addRow(label(text, buddy=widget), widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(heading_line("Lesion and patient"))
        layout.addLayout(form)
        layout.addWidget(note)

    def fill(self, condition: Condition, guidance: float) -> None:
        """Show a condition and its guidance."""
        self.melanocytic.setCurrentIndex([value for _, value in _MELANOCYTIC].index(condition.melanocytic))
        self.diagnosis.setCurrentIndex((None, *CLASSES).index(condition.class_name))
        self.tone.setCurrentIndex((None, *TONES).index(condition.tone))
        self.sex.setCurrentIndex((None, *SEXES).index(condition.sex))
        self.site.setCurrentIndex((None, *SITES).index(condition.site))
        self.age.setValue(_UNKNOWN_AGE if condition.age is None else round(condition.age))
        self.guidance.setValue(guidance)

    @property
    def condition(self) -> Condition:
        """Return the condition set in the controls."""
        age = None if self.age.value() == _UNKNOWN_AGE else float(self.age.value())
        melanocytic = _MELANOCYTIC[self.melanocytic.currentIndex()][1]
        return Condition(
            melanocytic=melanocytic,
            sex=self.sex.currentData(),
            age=age,
            site=self.site.currentData(),
            class_name=self.diagnosis.currentData(),
            tone=self.tone.currentData(),
        )


def _choices(object_name: str, tool_tip: str) -> QComboBox:
    return calm(named(QComboBox(), object_name, tool_tip))
