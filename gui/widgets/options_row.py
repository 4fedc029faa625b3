"""Second row: the job's options, within reach and not in the way."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QWidget

from core.job import AUTO, MAX_STEPS, PRECISIONS, SAMPLERS
from core.seeds import BASE_SEED
from gui.widgets.controls import label, named, spin_box

_SAMPLER_NAMES = {"ddpm": "DDPM", "ddim": "DDIM", "dpmpp": "DPM-Solver++", "unipc": "UniPC"}
_SEED_TIP = "Base seed. The seed of every image follows from it, its class and its number."
_BATCH_TIP = "Images denoised together. Auto fits it to the device; it does not change the images."
_XAI_TIP = "With XAI Mode: every how many images of a class one is explained; the first where a class has fewer."


class OptionsRow(QWidget):
    """Steps, sampler, seed, precision, batch size, colour adjustment, explanation cadence.

    Signals:
        changed: another value.
    """

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.steps = spin_box("stepsSpin", "Denoising steps of every image. More take longer.", 1, MAX_STEPS, 50)
        self.sampler = named(
            QComboBox(), "samplerCombo", "How each step is taken. DPM-Solver++ needs the fewest steps."
        )
        self.seed = spin_box("seedSpin", _SEED_TIP, 0, 2**31 - 1, BASE_SEED)
        self.precision = named(QComboBox(), "precisionCombo", "Numbers used. Auto takes bf16 where it is faster.")
        self.batch = spin_box("batchSpin", _BATCH_TIP, 0, 4096, 0)
        self.color = named(
            QCheckBox("Adjust colours"),
            "colorAdjustmentCheck",
            "Draw colours towards those of real images of the class, where the models folder has colour statistics.",
        )
        self.cadence = spin_box("xaiCadenceSpin", _XAI_TIP, 1, 10_000, 10)
        self._finish_controls()
        self._lay_out()

    def _finish_controls(self) -> None:
        for name in SAMPLERS:
            self.sampler.addItem(_SAMPLER_NAMES.get(name, name), name)
        for name in PRECISIONS:
            self.precision.addItem("Auto" if name == AUTO else name, name)
        self.batch.setSpecialValueText("Auto")
        self.seed.setMinimumWidth(90)
        for spin in (self.steps, self.seed, self.batch, self.cadence):
            spin.valueChanged.connect(lambda _: self.changed.emit())
        for combo in (self.sampler, self.precision):
            combo.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.color.toggled.connect(lambda _: self.changed.emit())

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for text, widget in (
            ("S&teps", self.steps),
            ("&Sampler", self.sampler),
            ("S&eed", self.seed),
            ("&Precision", self.precision),
            ("&Batch", self.batch),
            ("E&xplain every", self.cadence),
        ):
            layout.addWidget(label(text, "quiet", widget))
            layout.addWidget(widget)
            layout.addSpacing(4)
        layout.addWidget(self.color)
        layout.addStretch(1)

    def choose(self, combo: QComboBox, name: str) -> None:
        """Choose an entry by the name that a job has for it; an unknown one changes nothing."""
        index = combo.findData(name)
        if index >= 0:
            combo.setCurrentIndex(index)
