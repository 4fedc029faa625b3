"""Evaluate a set from the window: the dialog, the headless process, and its results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from core.process.runner import headless_command
from gui.evaluation_job import EvaluationRequest
from gui.settings import Settings
from gui.tasks.headless_process import Ending, HeadlessProcess
from gui.widgets.evaluation_dialog import EvaluationDialog


class Evaluations(QObject):
    """Runs one evaluation at a time, in parallel with other work.

    Signals:
        begun: the ``EvaluationRequest`` that has been started.
        logged: level and text for the log.
        opened: the user wants to open a report (path).
        idle: no evaluation is running any more.
    """

    begun = pyqtSignal(object)
    logged = pyqtSignal(str, str)
    opened = pyqtSignal(object)
    idle = pyqtSignal()

    def __init__(self, window: QWidget, make_process: Callable[[QObject], HeadlessProcess] | None = None) -> None:
        super().__init__(window)
        self._window, self._make_process = window, make_process or _evaluating_process
        self._process: HeadlessProcess | None = None
        self._message: dict[str, Any] | None = None
        self._dialog: EvaluationDialog | None = None

    @property
    def busy(self) -> bool:
        """Return whether a process is running."""
        return self._process is not None

    @property
    def dialog(self) -> EvaluationDialog:
        """Return the dialog; it keeps its content while it is closed."""
        if self._dialog is None:
            self._dialog = EvaluationDialog(self._window)
            self._dialog.wanted.connect(self._start)
            self._dialog.cancelled.connect(self.cancel)
            self._dialog.opened.connect(self.opened)
        return self._dialog

    def show(self, settings: Settings) -> None:
        """Open the dialog for the current output folder, or for the running evaluation."""
        if self.dialog.isVisible():
            self.dialog.raise_()
            self.dialog.activateWindow()
            return
        if not self.busy:
            self.dialog.fill(settings)
        self.dialog.show()

    def cancel(self) -> None:
        """Ask the running process to stop."""
        if self._process is not None:
            self.dialog.status.setText("Stopping…")
            self._process.cancel()

    def _start(self, request: EvaluationRequest) -> None:
        if self._process is not None:
            return
        self._message = None
        self._process = self._make_process(self)
        self._process.message_received.connect(self._on_message)
        self._process.ended.connect(self._on_ended)
        self.dialog.show_running(True)
        self.logged.emit("info", f"Evaluating {request.images} against {request.real}.")
        self.begun.emit(request)
        try:
            self._process.start(request.encoded(), {})
        except OSError as error:
            self._on_ended(Ending(False, f"the job file cannot be written: {error}"))

    def _on_message(self, message: dict[str, Any]) -> None:
        """Handle progress (done, total, doing), finished (main, summary), and texts."""
        event, text = message.get("event"), message.get("text")
        done, total = message.get("done"), message.get("total")
        if event == "progress" and isinstance(done, (int, float)) and isinstance(total, (int, float)) and total > 0:
            self.dialog.show_progress(min(1.0, max(0.0, done / total)), str(message.get("doing") or "Evaluating"))
        elif event == "finished":
            self._message = message
        elif isinstance(text, str):
            self.logged.emit("warning" if event == "warning" else "info", text)

    def _on_ended(self, ending: Ending) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        self.dialog.show_running(False)
        if ending.well and self._message is not None:
            self._show_results(self._message)
        elif ending.reason or ending.well:
            reason = ending.reason or "it ended without a report"
            text = f"The set was not evaluated: {reason}."
            self.dialog.status.setText(text)
            self.logged.emit("error", text)
        else:
            self.dialog.status.setText("Stopped.")
            self.logged.emit("info", "The evaluation was stopped.")
        self.idle.emit()

    def _show_results(self, message: dict[str, Any]) -> None:
        report = Path(str(message.get("main")))
        found = message.get("summary")
        summary = [str(sentence) for sentence in found] if isinstance(found, list) else []
        self.dialog.show_finished(report, summary)
        for sentence in (*summary, f"Report: {report}"):
            self.logged.emit("info", sentence)


def _evaluating_process(parent: QObject) -> HeadlessProcess:
    return HeadlessProcess(parent, headless_command("evaluation"))
