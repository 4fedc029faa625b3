"""The status bar: what goes on, device, models, colour statistics, memory."""

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
    """Labels that say what the next job works with."""

    def __init__(self) -> None:
        super().__init__()
        self.status = self._add("statusLabel", "What the program is doing.", stretch=1)
        self.device = self._add("deviceLabel", "Device that generates.")
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
        """Name the device; ``name`` decides whose memory is measured."""
        self.device.setText(text)
        self._cuda = name if name.startswith("cuda") else None
        self.measure_memory()

    def show_models(self, folder: Path, count: str, colors: str) -> None:
        """Say which models folder is used and what it holds."""
        shown = self.model_path.fontMetrics().elidedText(str(folder), Qt.ElideLeft, _LONGEST_PATH)
        self.model_path.setText(shown)
        self.model_path.setToolTip(plain_tool_tip(f"Models folder: {folder}"))
        self.model_count.setText(count)
        self.color_statistics.setText(colors)

    def measure_memory(self) -> None:
        """Show GPU memory, or the memory of this process where the processor generates."""
        gpu = _gpu_memory(self._cuda) if self._cuda else None
        self.memory.setText(gpu or f"Memory {size_in_words(self._process.memory_info().rss)}")


def _gpu_memory(device: str) -> str | None:
    """What torch holds of the GPU's memory; None while torch is not loaded. Asks torch's books, not the busy GPU."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not hasattr(cuda, "is_initialized") or not cuda.is_initialized():  # half of it, while loading
        return None
    used, total = cuda.memory_reserved(device), cuda.get_device_properties(device).total_memory
    return f"GPU memory {size_in_words(used)} of {size_in_words(total)}"
