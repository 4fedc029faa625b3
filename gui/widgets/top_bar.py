"""Top: models, output, XAI Mode with its intervals, device; a button that shows or hides the job's options."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QToolButton, QWidget

from core.presets import AUTO
from gui.tasks.engine import EngineFacts
from gui.theme import set_icon
from gui.widgets.analysis_spin import AnalysisSpin
from gui.widgets.controls import combo_box, label, named, spin_box, tool_button

_XAI_TIP = "XAI Mode: during generation, show where a classifier looks in some of the images."
_STRIDE_TIP = "Every how many denoising steps the full analysis of an image keeps one (XAI_SAVE_EVERY_N)."
_CADENCE_TIP = (
    "With XAI Mode: every how many images of a class folder one is explained; the first if the folder has fewer."
)


class TopBar(QWidget):
    """The first row of the window.

    Signals:
        select_models, select_output: the user requests a folder dialog.
        changed: the device or an XAI setting changed.
        options_toggled: whether to show the row of options.
    """

    select_models = pyqtSignal()
    select_output = pyqtSignal()
    changed = pyqtSignal()
    options_toggled = pyqtSignal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.models_button = named(
            QPushButton("Select Models"), "selectModelsButton", "Choose the folder of checkpoints (Ctrl+M)."
        )
        self.output_button = named(
            QPushButton("Select Output"), "selectOutputButton", "Choose the folder for the images (Ctrl+O)."
        )
        self.xai_button = named(QToolButton(), "xaiModeButton", _XAI_TIP, "XAI Mode")
        self.xai_steps = spin_box("xaiStepsSpin", _STRIDE_TIP, 1, 1000, 5)
        self.cadence = spin_box("xaiCadenceSpin", _CADENCE_TIP, 1, 10_000, 10)
        self.analysis = AnalysisSpin()
        self._auto_device = ""
        self.device = combo_box(
            "deviceCombo", "Device that generates the images. Auto uses the first GPU, if there is one."
        )
        self.options_button = tool_button(
            "optionsButton", "mdi6.tune-variant", "Show or hide steps, sampler, seed and the other options.", "Options"
        )
        self._finish_controls()
        self._lay_out()
        self._connect()

    def _finish_controls(self) -> None:
        set_icon(self.models_button, "mdi6.folder-search-outline")
        set_icon(self.output_button, "mdi6.folder-download-outline")
        set_icon(self.xai_button, "mdi6.eye-outline")
        self.xai_button.setText("XAI Mode")
        for button in (self.xai_button, self.options_button):
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self.xai_steps.setSuffix(" steps")
        self.device.addItem("Auto", AUTO)
        self.device.setMinimumWidth(110)
        self.device.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.models_button)
        layout.addWidget(self.output_button)
        layout.addSpacing(12)
        layout.addWidget(self.xai_button)
        layout.addWidget(self.xai_steps)
        layout.addWidget(label("E&xplain", "quiet", self.cadence))
        layout.addWidget(self.cadence)
        layout.addWidget(label("Anal&yse", "quiet", self.analysis))
        layout.addWidget(self.analysis)
        layout.addStretch(2)
        layout.addWidget(label("&Device", "quiet", self.device))
        layout.addWidget(self.device, 1)
        layout.addWidget(self.options_button)

    def _connect(self) -> None:
        self.models_button.clicked.connect(self.select_models)
        self.output_button.clicked.connect(self.select_output)
        self.xai_button.toggled.connect(lambda _: self.changed.emit())
        for spin in (self.xai_steps, self.cadence, self.analysis):
            spin.valueChanged.connect(lambda _: self.changed.emit())
        self.device.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.changed.connect(lambda: self.analysis.follow(self.resolved_device))
        self.options_button.toggled.connect(self.options_toggled)

    def show_devices(self, facts: EngineFacts) -> None:
        """Fill the device list; keep the chosen device if it exists."""
        wanted, self._auto_device = self.device_name, facts.auto_device
        self.device.blockSignals(True)
        self.device.clear()
        labels = {device.name: device.label for device in facts.devices}
        self.device.addItem(f"Auto: {labels.get(facts.auto_device, facts.auto_device)}", AUTO)
        for device in facts.devices:
            self.device.addItem(device.label, device.name)
        self.device.blockSignals(False)
        self.choose_device(wanted)

    def choose_device(self, name: str) -> None:
        """Choose a device by name. After the devices are known, an unknown name selects auto."""
        index = self.device.findData(name)
        if index < 0 and self.device.count() == 1:
            self.device.addItem(name.upper(), name)
            index = 1
        self.device.setCurrentIndex(max(0, index))
        self.changed.emit()

    @property
    def device_name(self) -> str:
        """Return ``auto``, ``cpu`` or ``cuda:N``."""
        return str(self.device.currentData())

    @property
    def resolved_device(self) -> str:
        """``cpu`` or ``cuda:N``; empty while the automatic choice is not known."""
        return self._auto_device if self.device_name == AUTO else self.device_name
