"""One line for a queue of explanations: what runs, what waits, and buttons to clear and cancel it."""

from __future__ import annotations

from pathlib import Path

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QWidget

from gui.widgets.controls import label, named, plain_tool_tip, tool_button
from xai.job import OVERLAY

_VERBS = {True: "Explaining", False: "Analysing"}


class ExplanationPanel(QWidget):
    """Shows the state of a queue of explanations.

    Args:
        kind: of the jobs in the queue, overlays or full analyses.

    Signals:
        clear: the user removes the waiting explanations.
        cancel: the user also stops the running one.
    """

    clear = pyqtSignal()
    cancel = pyqtSignal()

    def __init__(self, kind: str = OVERLAY) -> None:
        super().__init__()
        light = kind == OVERLAY
        name, jobs = ("xai", "explanations") if light else ("analysis", "full analyses")
        self._verb = _VERBS[light]
        self.text = named(label("", "quiet"), f"{name}QueueLabel", f"Running and waiting {jobs}.")
        self.text.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)  # a long text must not widen the column
        self.bar = named(QProgressBar(), f"{name}ProgressBar", f"Progress of the first of the {jobs}.")
        self.bar.setMaximumWidth(90)
        self.bar.setTextVisible(False)
        clear, cancel = (f"clear{name.capitalize()}QueueButton", f"cancel{name.capitalize()}Button")
        self.clear_button = tool_button(clear, "mdi6.playlist-remove", f"Forget the waiting {jobs}.")
        self.cancel_button = tool_button(cancel, "mdi6.stop", f"Stop all {jobs}, the running one too.")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 1)
        for widget in (self.bar, self.clear_button, self.cancel_button):
            layout.addWidget(widget)
        self.clear_button.clicked.connect(self.clear)
        self.cancel_button.clicked.connect(self.cancel)
        self.hide()

    def show_queue(self, image: Path | None, waiting: int, fraction: float | None, doing: str = "") -> None:
        """Show the queue.

        Args:
            image: the image that is being explained; None hides the panel.
            waiting: the number of waiting explanations.
            fraction: the progress of the running one, 0 to 1; None if unknown.
            doing: the part of the work that runs; empty if unknown.
        """
        self.setVisible(image is not None)
        if image is None:
            return
        more = f", {waiting} waiting" if waiting else ""
        text = f"{self._verb} {image.parent.name}/{image.name}{more}"
        self.text.setText(text)
        for widget in (self.text, self.bar):
            widget.setToolTip(plain_tool_tip(f"{text}: {doing}" if doing else text))
        self.bar.setRange(0, 0 if fraction is None else 100)
        if fraction is not None:
            self.bar.setValue(round(100 * fraction))
        self.clear_button.setEnabled(waiting > 0)
