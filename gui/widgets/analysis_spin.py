"""The interval of full analyses during generation; it depends on the device until the user sets it."""

from __future__ import annotations

from PyQt5.QtWidgets import QSpinBox

from core.presets import MAX_ANALYSIS_INTERVAL
from gui.widgets.controls import calm, named

_OFF = 0
_ON_GPU = MAX_ANALYSIS_INTERVAL
_TIP = (
    "Full analyses. With XAI Mode: every how many images of a class one gets a full analysis with a report, in the "
    "background. Off at first on a processor, where an analysis takes minutes. The overlays do not depend on it."
)


class AnalysisSpin(QSpinBox):
    """0 (off) to 100.

    Attributes:
        chosen: whether the user has set the value.
    """

    def __init__(self) -> None:
        super().__init__()
        calm(named(self, "analysisIntervalSpin", _TIP))
        self.setRange(_OFF, MAX_ANALYSIS_INTERVAL)
        self.setSpecialValueText("Off")
        self.setKeyboardTracking(False)
        self.chosen = False
        self._following = False
        self.valueChanged.connect(self._on_value)

    def show_interval(self, interval: int, *, chosen: bool) -> None:
        """Show a stored value."""
        self.chosen = chosen
        self._set(interval)

    def follow(self, device: str) -> None:
        """Take the default of ``cpu`` or ``cuda:N`` (empty: not known yet), unless the user has set a value."""
        if not self.chosen:
            self._set(_ON_GPU if device.startswith("cuda") else _OFF)

    def _set(self, interval: int) -> None:
        self._following = True
        self.setValue(interval)
        self._following = False

    def _on_value(self) -> None:
        self.chosen = self.chosen or not self._following
