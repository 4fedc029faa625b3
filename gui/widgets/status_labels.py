"""The status bar: activity, device, models, colour statistics, memory."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtWidgets import QLabel, QStatusBar

from gui.remaining_time import size_in_words
from gui.widgets.controls import label, named, plain_tool_tip

_MEMORY_EVERY_MS = 2000
_LONGEST_PATH = 240


class StatusLabels(QStatusBar):
    """Labels with the device and the models of the next job."""

    def __init__(self) -> None:
        super().__init__()
        self.status = self._add("statusLabel", "Current activity of the program.", stretch=1)
        self.device = self._add("deviceLabel", "Device that generates the images.")
        self.model_path = self._add("modelPathLabel", "Models folder.")
        self.model_count = self._add("modelCountLabel", "Classes that can be generated.")
        self.color_statistics = self._add("colorStatisticsLabel", "Colour statistics of the models folder.")
        self.memory = self._add("memoryLabel", "Memory that the program uses, measured every 2 seconds.")
        self.setSizeGripEnabled(False)
        self._process = psutil.Process()
        self._cuda: str | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_MEMORY_EVERY_MS)
        self._timer.timeout.connect(self.measure_memory)
        self._timer.start()
        self.measure_memory()

    def _add(self, object_name: str, tool_tip: str, stretch: int = 0) -> QLabel:
        made = named(label(""), object_name, tool_tip)
        self.addWidget(made, stretch) if stretch else self.addPermanentWidget(made)
        return made

    def show_device(self, name: str, text: str) -> None:
        """Show the device; ``name`` selects the memory to measure."""
        self.device.setText(text)
        self._cuda = name if name.startswith("cuda") else None
        self.measure_memory()

    def show_models(self, folder: Path, count: str, colors: str) -> None:
        """Show the models folder and its content."""
        shown = self.model_path.fontMetrics().elidedText(str(folder), Qt.ElideLeft, _LONGEST_PATH)
        self.model_path.setText(shown)
        self.model_path.setToolTip(plain_tool_tip(f"Models folder: {folder}"))
        self.model_count.setText(count)
        self.color_statistics.setText(colors)

    def measure_memory(self) -> None:
        """Show the GPU memory, or the memory of this process if the processor generates the images."""
        gpu = _gpu_memory(self._cuda) if self._cuda else None
        self.memory.setText(gpu or f"Memory {size_in_words(self._process.memory_info().rss)}")


def _gpu_memory(device: str) -> str | None:
    """Return the GPU memory reserved by torch; None until torch is loaded. Does not wait for the busy GPU."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not hasattr(cuda, "is_initialized") or not cuda.is_initialized():  # torch may be partly loaded
        return None
    used, total = cuda.memory_reserved(device), cuda.get_device_properties(device).total_memory
    return f"GPU memory {size_in_words(used)} of {size_in_words(total)}"
