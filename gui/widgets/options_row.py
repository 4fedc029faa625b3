"""Second row: the options of the job. A preset sets those that determine the duration."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSpinBox, QWidget

from core.generation.seeds import BASE_SEED, fresh_base_seed
from core.presets import (
    AUTO,
    MAX_REUSE,
    MAX_STEPS,
    NO_REUSE,
    PRECISIONS,
    PRESETS,
    SAMPLERS,
    STANDARD,
    preset_of,
)
from gui.widgets.controls import combo_box, label, named, spin_box

_SAMPLER_NAMES = {"ddpm": "DDPM", "ddim": "DDIM", "dpmpp": "DPM-Solver++", "unipc": "UniPC"}
_CUSTOM = ""  # data of the entry for values that match no preset
_PRESET_TIP = "Preset. Sets steps, sampler and reuse together. Shows Custom if they match no preset."
_REUSE_TIP = "Reuse. Computes the deep features of the network only in every N-th step. Faster, but changes the images."
_SEED_TIP = "Base seed. It determines the seed of every image, together with class and number."
_RANDOM_TIP = "Random seed. Draws a fresh base seed at every Start; the box shows it, and every image records it."
_BATCH_TIP = "Images per batch. Auto selects it for the device. It does not change the images."
_COLOR_TIP = (
    "Adjust colours. Moves them towards the colours of real images of the class, if the models folder contains "
    "colour statistics."
)


class OptionsRow(QWidget):
    """Preset, steps, sampler, reuse, seed and whether it is random, precision, batch size, colour adjustment.

    Signals:
        changed: a value changed.
    """

    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        standard = PRESETS[STANDARD]
        self.preset = combo_box("presetCombo", _PRESET_TIP)
        self.steps = spin_box(
            "stepsSpin", "Denoising steps per image. More steps take longer.", 1, MAX_STEPS, standard.steps
        )
        self.reuse = spin_box("reuseSpin", _REUSE_TIP, NO_REUSE, MAX_REUSE, standard.reuse)
        self.sampler = combo_box("samplerCombo", "Sampler. UniPC and DPM-Solver++ need the fewest steps.")
        self.seed = spin_box("seedSpin", _SEED_TIP, 0, 2**31 - 1, BASE_SEED)
        self.random_seed = named(QCheckBox("&Random"), "randomSeedCheck", _RANDOM_TIP)
        self.precision = combo_box("precisionCombo", "Number format. Auto uses bf16 if it is faster.")
        self.batch = spin_box("batchSpin", _BATCH_TIP, 0, 4096, 0)
        self.color = named(QCheckBox("Colours"), "colorAdjustmentCheck", _COLOR_TIP)
        self._finish_controls()
        self._lay_out()

    def _finish_controls(self) -> None:
        for name in SAMPLERS:
            self.sampler.addItem(_SAMPLER_NAMES.get(name, name), name)
        for name in PRECISIONS:
            self.precision.addItem("Auto" if name == AUTO else name, name)
        for name in PRESETS:
            self.preset.addItem(name.capitalize(), name)
        self.preset.addItem("Custom", _CUSTOM)
        self.batch.setSpecialValueText("Auto")
        self.reuse.setSpecialValueText("Off")
        self.seed.setMinimumWidth(80)
        self.sampler.setMinimumWidth(100)
        self.random_seed.toggled.connect(self._show_random)
        self.random_seed.toggled.connect(lambda _: self.changed.emit())
        for spin in (self.steps, self.reuse, self.seed, self.batch):
            spin.valueChanged.connect(lambda _: self.changed.emit())
        for combo in (self.sampler, self.precision):
            combo.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.color.toggled.connect(lambda _: self.changed.emit())
        self.preset.currentIndexChanged.connect(lambda _: self._take_preset())
        self.changed.connect(self._show_preset)
        self._show_preset()

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.preset)  # without a label, so that the row fits into 1280 pixels
        layout.addSpacing(4)
        for text, widget in (
            ("S&teps", self.steps),
            ("&Sampler", self.sampler),
            ("Re&use", self.reuse),
            ("S&eed", self.seed),
            ("&Precision", self.precision),
            ("&Batch", self.batch),
        ):
            layout.addWidget(label(text, "quiet", widget))
            layout.addWidget(widget)
            if widget is self.seed:
                layout.addWidget(self.random_seed)
            layout.addSpacing(4)
        layout.addWidget(self.color)
        layout.addStretch(1)

    def _show_random(self, random: bool) -> None:
        """A drawn seed can be read and copied, and not changed."""
        self.seed.setReadOnly(random)
        self.seed.setButtonSymbols(QSpinBox.NoButtons if random else QSpinBox.UpDownArrows)

    def draw_seed(self) -> None:
        """Show a fresh base seed, if each job is to have one."""
        if self.random_seed.isChecked():
            self.seed.setValue(fresh_base_seed())

    def _take_preset(self) -> None:
        """Set the values of the chosen preset; Custom changes nothing."""
        preset = PRESETS.get(str(self.preset.currentData()))
        if preset is not None:
            self.steps.setValue(preset.steps)
            self.reuse.setValue(preset.reuse)
            self.choose(self.sampler, preset.sampler)
        self._show_preset()

    def _show_preset(self) -> None:
        name = preset_of(str(self.sampler.currentData()), self.steps.value(), self.reuse.value())
        self.preset.blockSignals(True)  # only show the preset; do not set its values again
        self.choose(self.preset, _CUSTOM if name is None else name)
        self.preset.blockSignals(False)

    def choose(self, combo: QComboBox, name: str) -> None:
        """Choose an entry by its name in a job; ignore an unknown name."""
        index = combo.findData(name)
        if index >= 0:
            combo.setCurrentIndex(index)
