"""The download dialog: source, progress, and cancel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.remaining_time import in_words, size_in_words
from gui.widgets.controls import combo_box, label, named

if TYPE_CHECKING:
    from core.download.events import Progress
    from core.download.sources import KnownSource

_STEPS = 1000
_HINT = "You can also enter an https address of a zip, hf:owner/repo, gdrive:ID, or a folder or zip on this computer."


class DownloadDialog(QDialog):
    """Asks for a source and shows the download.

    Signals:
        wanted: the user starts a download from this source.
        cancelled: the user cancels the running download.
    """

    wanted = pyqtSignal(str)
    cancelled = pyqtSignal()

    def __init__(self, parent: QWidget, sources: Sequence[KnownSource], folder: Path) -> None:
        super().__init__(parent)
        self.setObjectName("downloadDialog")
        self.setWindowTitle("Download models")
        self.setMinimumWidth(520)
        self.source = combo_box("downloadSourceCombo", "Source of the models.")
        self.source.setEditable(True)
        for source in sources:
            self.source.addItem(source.name)
        self.about = label(" ".join(f"{source.name}: {source.about}." for source in sources), "quiet")
        self.status = named(label(""), "downloadStatusLabel", "Status of the download.")
        self.bar = named(QProgressBar(), "downloadProgressBar", "Progress of the current file.")
        self.start_button = named(QPushButton("Download"), "downloadStartButton", "Download the missing files.")
        self.buttons = QDialogButtonBox(QDialogButtonBox.Close)
        self.close_button = self.buttons.button(QDialogButtonBox.Close)
        self.running = False
        self._lay_out(folder)
        self.start_button.clicked.connect(lambda: self.wanted.emit(self.source.currentText().strip()))
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self, folder: Path) -> None:
        hint = label(_HINT, "quiet")
        for text in (self.about, hint, self.status):
            text.setWordWrap(True)
        self.bar.setRange(0, _STEPS)
        self.bar.setValue(0)
        self.bar.setTextVisible(False)
        self.buttons.addButton(self.start_button, QDialogButtonBox.ActionRole)
        self.start_button.setDefault(True)
        self.close_button.setAutoDefault(False)
        form = QFormLayout()
        form.addRow(label("&Source", buddy=self.source), self.source)
        form.addRow("", self.about)
        form.addRow("", hint)
        form.addRow(label("Into"), label(str(folder)))
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.bar)
        layout.addWidget(self.status)
        layout.addWidget(self.buttons)

    def show_running(self, running: bool) -> None:
        """Enable or disable the controls; a running download can only be cancelled."""
        self.running = running
        self.start_button.setEnabled(not running)
        self.source.setEnabled(not running)
        self.close_button.setText("Cancel" if running else "Close")
        if running:
            self.bar.setRange(0, 0)
            self.status.setText("Connecting…")
        elif self.bar.maximum() == 0:
            self.bar.setRange(0, _STEPS)
            self.bar.setValue(0)

    def show_progress(self, progress: Progress) -> None:
        """Show the progress of the current file."""
        if progress.total:
            self.bar.setRange(0, _STEPS)
            self.bar.setValue(round(_STEPS * progress.done / progress.total))
        total = f" of {size_in_words(progress.total)}" if progress.total else ""
        speed = f", {size_in_words(progress.bytes_per_s)}/s" if progress.bytes_per_s else ""
        left = f", {in_words(progress.seconds_left)} left" if progress.seconds_left else ""
        self.status.setText(f"{progress.name}: {size_in_words(progress.done)}{total}{speed}{left}")

    def show_done(self, text: str) -> None:
        """Show the result of a finished download."""
        self.bar.setRange(0, _STEPS)
        self.bar.setValue(_STEPS)
        self.status.setText(text)

    def reject(self) -> None:
        """Cancel a running download; otherwise close the dialog."""
        if self.running:
            self.status.setText("Cancelling; the received bytes are kept…")
            self.cancelled.emit()
        else:
            super().reject()
