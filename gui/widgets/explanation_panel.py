"""The queue of explanations in one line: the running one, the number of waiting ones, and buttons to stop them."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from gui.widgets.controls import label, named, tool_button


class ExplanationPanel(QWidget):
    """Shows the state of the explanation queue.

    Signals:
        clear: the user removes the waiting explanations.
        cancel: the user also stops the running one.
    """

    clear = pyqtSignal()
    cancel = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.text = named(label("", "quiet"), "xaiQueueLabel", "Running and waiting explanations.")
        self.bar = named(QProgressBar(), "xaiProgressBar", "Progress of the running explanation.")
        self.bar.setMaximumWidth(140)
        self.bar.setTextVisible(False)
        self.clear_button = tool_button(
            "clearXaiQueueButton", "mdi6.playlist-remove", "Remove the waiting explanations."
        )
        self.cancel_button = tool_button(
            "cancelXaiButton", "mdi6.stop", "Stop the running explanation and remove the waiting ones."
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        for widget in (self.bar, self.clear_button, self.cancel_button):
            layout.addWidget(widget)
        self.clear_button.clicked.connect(self.clear)
        self.cancel_button.clicked.connect(self.cancel)
        self.hide()

    def show_queue(self, image: Path | None, waiting: int, fraction: float | None) -> None:
        """Show the queue.

        Args:
            image: the image that is being explained; None hides the panel.
            waiting: the number of waiting explanations.
            fraction: the progress of the running one, 0 to 1; None if unknown.
        """
        self.setVisible(image is not None)
        if image is None:
            return
        more = f", {waiting} waiting" if waiting else ""
        self.text.setText(f"Explaining {image.parent.name}/{image.name}{more}")
        self.bar.setRange(0, 0 if fraction is None else 100)
        if fraction is not None:
            self.bar.setValue(round(100 * fraction))
        self.clear_button.setEnabled(waiting > 0)
