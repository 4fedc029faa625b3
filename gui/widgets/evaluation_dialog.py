"""The evaluation dialog: the folders, the progress, the results, and a button for the report."""

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
    "Compares the set with real images. Does it resemble them? Does it contain copies of them? Does it improve a "
    "classifier? The report answers these questions."
)
_REAL_TIP = "Real images: folders named after the classes, or a folder in the HAM10000 format."
_QUICK_TIP = "Measures less, so the intervals in the report are wider. Switch it off for results to be published."
_USEFULNESS_TIP = "The classifiers are tested on real images that were not used for training. Takes longer."


class EvaluationDialog(QDialog):
    """Asks for the folders and shows the progress. The evaluation continues while the dialog is closed.

    Signals:
        wanted: an ``EvaluationRequest`` to start.
        cancelled: the user stops the evaluation.
        opened: the user opens a report (path).
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
        self.output = FolderEdit("evaluationReport", "Folder for the report.", "Choose the folder for the report")
        self.quick = named(
            QCheckBox("Quick: fewer real images and repetitions, for a first impression"),
            "evaluationQuickCheck",
            _QUICK_TIP,
        )
        self.usefulness = named(
            QCheckBox("Usefulness: train classifiers with and without the set"),
            "evaluationUsefulnessCheck",
            _USEFULNESS_TIP,
        )
        self.bar = named(QProgressBar(), "evaluationProgressBar", "Progress of the evaluation.")
        self.status = named(label(""), "evaluationStatusLabel", "Status of the evaluation.")
        self.findings = named(QPlainTextEdit(), "evaluationFindingsEdit", "Results of the evaluation.")
        self.buttons = QDialogButtonBox(QDialogButtonBox.Close)
        self.start_button = named(QPushButton("Evaluate"), "evaluationStartButton", "Measure the set.")
        self.cancel_button = named(QPushButton("Stop"), "evaluationCancelButton", "Stop the evaluation.")
        self.report_button = named(
            QPushButton("Open report"), "evaluationReportButton", "Open the report in the browser."
        )
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
        self.findings.setPlaceholderText("The results appear here. The report contains all numbers.")
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
        close.setToolTip("Close this dialog. A running evaluation continues; press Ctrl+E to show it again.")
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
        """Suggest the current output folder and the last folder of real images."""
        self._settings = settings
        self.images.show_folder(settings.output)
        self.real.show_folder(settings.real_images)

    def request(self) -> EvaluationRequest:
        """Return the evaluation described by the fields. All of them are filled when this is called."""
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
        """Enable or disable the controls; a running evaluation can only be stopped."""
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
        """Show the progress, 0 to 1, and the current activity."""
        self.bar.setValue(round(_STEPS * fraction))
        self.status.setText(f"{doing}…")

    def show_finished(self, report: Path, summary: Sequence[str]) -> None:
        """Show the results, and enable the button for the report."""
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
