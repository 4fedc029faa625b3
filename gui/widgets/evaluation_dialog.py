"""The dialog that evaluates a set: which, against what, how far it is, and the way to its report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.evaluation_job import EvaluationRequest, report_folder
from gui.settings import Settings
from gui.widgets.controls import label, named
from gui.widgets.folder_edit import FolderEdit

_STEPS = 1000
_WIDTH = 620
_FINDINGS_HEIGHT = 110
_ABOUT = (
    "Compares the set with real images: do they resemble each other, are there copies of real images, and does the set "
    "help a classifier? One report answers."
)
_REAL_TIP = "Real images: folders named by classes, or a folder in HAM10000's form."
_QUICK_TIP = "Less is measured, and the intervals in the report are wider. Off for what is to be published."
_USEFULNESS_TIP = "They are tested on real images that none of them has seen. Takes longer."


class EvaluationDialog(QDialog):
    """Asks what to evaluate and shows how far it is. It can be closed meanwhile: the evaluation goes on.

    Signals:
        wanted: an ``EvaluationRequest``.
        cancelled: end the evaluation.
        opened: a report is to be opened.
    """

    wanted = pyqtSignal(object)
    cancelled = pyqtSignal()
    opened = pyqtSignal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("evaluationDialog")
        self.setWindowTitle("Evaluate a set")
        self.setMinimumWidth(_WIDTH)
        self.images = FolderEdit("evaluationSet", "The generated set.", "Choose the generated set")
        self.real = FolderEdit("evaluationReal", _REAL_TIP, "Choose the folder of real images")
        self.output = FolderEdit("evaluationReport", "Folder that the report goes to.", "Choose the report's folder")
        self.quick = named(
            QCheckBox("Quick: fewer real images and repetitions, for a first look"), "evaluationQuickCheck", _QUICK_TIP
        )
        self.usefulness = named(
            QCheckBox("Usefulness: train classifiers with and without the set"),
            "evaluationUsefulnessCheck",
            _USEFULNESS_TIP,
        )
        self.bar = named(QProgressBar(), "evaluationProgressBar", "Progress of the evaluation.")
        self.status = named(label(""), "evaluationStatusLabel", "What the evaluation does.")
        self.findings = named(QPlainTextEdit(), "evaluationFindingsEdit", "What was found.")
        self.buttons = QDialogButtonBox(QDialogButtonBox.Close)
        self.start_button = named(QPushButton("Evaluate"), "evaluationStartButton", "Measure the set.")
        self.cancel_button = named(QPushButton("Stop"), "evaluationCancelButton", "End the evaluation.")
        self.report_button = named(QPushButton("Open report"), "evaluationReportButton", "Open it in the browser.")
        self.running = False
        self._settings = Settings()
        self._report: Path | None = None
        self._lay_out()
        self._connect()
        self.show_running(False)

    def _lay_out(self) -> None:
        about = label(_ABOUT, "quiet")
        for text in (about, self.status):
            text.setWordWrap(True)
        self.findings.setReadOnly(True)
        self.findings.setMinimumHeight(_FINDINGS_HEIGHT)
        self.findings.setPlaceholderText("What was found appears here, and in the report with all figures.")
        self.quick.setChecked(True)
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        form = QFormLayout()
        form.addRow(label("&Set", buddy=self.images), self.images)
        form.addRow(label("&Real images", buddy=self.real), self.real)
        form.addRow(label("Report &into", buddy=self.output), self.output)
        form.addRow("", self.quick)
        form.addRow("", self.usefulness)
        for button in (self.report_button, self.cancel_button, self.start_button):
            self.buttons.addButton(button, QDialogButtonBox.ActionRole)
            button.setAutoDefault(button is self.start_button)
        self.start_button.setDefault(True)
        close = self.buttons.button(QDialogButtonBox.Close)
        close.setAutoDefault(False)
        close.setToolTip("Close this dialog. An evaluation that runs goes on; Ctrl+E shows it again.")
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        layout.addWidget(about)
        layout.addLayout(form)
        layout.addWidget(self.bar)
        layout.addWidget(self.status)
        layout.addWidget(self.findings, 1)
        layout.addWidget(self.buttons)

    def _connect(self) -> None:
        self.images.changed.connect(self._on_set)
        for field in (self.real, self.output):
            field.changed.connect(self._enable)
        self.start_button.clicked.connect(lambda: self.wanted.emit(self.request()))
        self.cancel_button.clicked.connect(self.cancelled)
        self.report_button.clicked.connect(lambda: self.opened.emit(self._report))
        self.buttons.rejected.connect(self.reject)

    def fill(self, settings: Settings) -> None:
        """Suggest the present output folder and the real images used last."""
        self._settings = settings
        self.images.show_folder(settings.output)
        self.real.show_folder(settings.real_images)

    def request(self) -> EvaluationRequest:
        """What the fields say; they are all filled when this is asked."""
        return EvaluationRequest(
            images=self.images.folder or Path(),
            real=self.real.folder or Path(),
            output=self.output.folder or Path(),
            quick=self.quick.isChecked(),
            usefulness=self.usefulness.isChecked(),
            checkpoints=Path(self._settings.checkpoints),
            device=self._settings.device,
        )

    def show_running(self, running: bool) -> None:
        """While it runs, nothing can be changed and it can be stopped."""
        self.running = running
        for widget in (self.images, self.real, self.output, self.quick, self.usefulness):
            widget.setEnabled(not running)
        self.cancel_button.setEnabled(running)
        self.bar.setVisible(running)
        if running:
            self._report = None
            self.findings.clear()
            self.show_progress(0.0, "Loading")
        self._enable()

    def show_progress(self, fraction: float, doing: str) -> None:
        """Show how far it is, 0 to 1, and what it does."""
        self.bar.setValue(round(_STEPS * fraction))
        self.status.setText(f"{doing}…")

    def show_finished(self, report: Path, summary: Sequence[str]) -> None:
        """Say what was found, and offer the report."""
        self._report = report
        self.status.setText(f"Finished: {report}")
        self.findings.setPlainText("\n".join(summary))
        self._enable()

    def _on_set(self) -> None:
        if self.images.folder is not None:
            self.output.show_folder(report_folder(self.images.folder))
        self._enable()

    def _enable(self) -> None:
        filled = all(field.folder is not None for field in (self.images, self.real, self.output))
        self.start_button.setEnabled(filled and not self.running)
        self.report_button.setEnabled(self._report is not None)
