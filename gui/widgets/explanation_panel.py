"""The queue of explanations in one line: what runs, what waits, and a button to clear it."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from gui.explanation_queue import Explanations
from gui.widgets.controls import label, named, tool_button


class ExplanationPanel(QWidget):
    """Shows an ``Explanations`` queue.

    Signals:
        clear: forget the explanations that wait.
        cancel: also end the one that runs.
    """

    clear = pyqtSignal()
    cancel = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.text = named(label("", "quiet"), "xaiQueueLabel", "Explanations that run and wait.")
        self.bar = named(QProgressBar(), "xaiProgressBar", "Progress of the running explanation.")
        self.bar.setMaximumWidth(140)
        self.bar.setTextVisible(False)
        self.clear_button = tool_button("clearXaiQueueButton", "mdi6.playlist-remove", "Forget those that wait.")
        self.cancel_button = tool_button("cancelXaiButton", "mdi6.stop", "End the running one and forget the others.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        for widget in (self.bar, self.clear_button, self.cancel_button):
            layout.addWidget(widget)
        self.clear_button.clicked.connect(self.clear)
        self.cancel_button.clicked.connect(self.cancel)
        self.hide()

    def show_queue(self, queue: Explanations) -> None:
        """Show the queue; hidden while it is empty."""
        self.setVisible(queue.busy)
        if queue.current is None:
            return
        image = queue.current.image
        waiting = f", {queue.waiting} waiting" if queue.waiting else ""
        self.text.setText(f"Explaining {image.parent.name}/{image.name}{waiting}")
        self.bar.setRange(0, 0 if queue.fraction is None else 100)
        if queue.fraction is not None:
            self.bar.setValue(round(100 * queue.fraction))
        self.clear_button.setEnabled(queue.waiting > 0)
