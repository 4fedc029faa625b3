"""The buttons Start, Pause, Stop and Regenerate."""

from __future__ import annotations

from PyQt5.QtCore import QPoint, Qt, pyqtSignal
from PyQt5.QtWidgets import QAction, QGridLayout, QMenu, QPushButton, QSizePolicy, QToolButton, QToolTip, QWidget

from gui.job_state import JobState
from gui.theme import set_icon
from gui.widgets.controls import named

_REGENERATE = "Run the last configuration again, with new image numbers and new seeds (Ctrl+R)."

_NOTHING_CHOSEN = "Tick at least one class first."
_STOPS_AT_ONCE = (JobState.STOPPING_AFTER_IMAGE, JobState.REPRODUCING)


class JobButtons(QWidget):
    """The four buttons.

    Signals:
        start, regenerate, pause, resume, stop_after_image, stop_now: requests of the user.
    """

    start = pyqtSignal()
    regenerate = pyqtSignal()
    pause = pyqtSignal()
    resume = pyqtSignal()
    stop_after_image = pyqtSignal()
    stop_now = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.start_button = named(QPushButton("Start"), "startButton", "Generate the chosen classes (F5).")
        self.pause_button = named(QPushButton("Pause"), "pauseButton", "Pause the job at its next step (F6).")
        self.stop_button = named(
            QToolButton(),
            "stopButton",
            "Stop after this image and the others of its batch (F7). Use the arrow to stop now.",
        )
        self.regenerate_button = named(QPushButton("Regenerate"), "regenerateButton", _REGENERATE)
        self.after_action = QAction("Stop after this image", self)
        self.now_action = QAction("Stop now and discard the unfinished image", self)
        self._state = JobState.IDLE
        self._connect()
        self._lay_out()
        self.show_state(JobState.IDLE, can_start=False, can_regenerate=False)

    def _connect(self) -> None:
        self.start_button.clicked.connect(self.start)
        self.regenerate_button.clicked.connect(self.regenerate)
        self.pause_button.clicked.connect(self._on_pause)
        self.stop_button.clicked.connect(self._on_stop)
        self.after_action.triggered.connect(self.stop_after_image)
        self.now_action.triggered.connect(self.stop_now)

    def _lay_out(self) -> None:
        menu = QMenu(self.stop_button)
        menu.addActions([self.after_action, self.now_action])
        self.stop_button.setMenu(menu)
        self.stop_button.setPopupMode(QToolButton.MenuButtonPopup)
        self.stop_button.setToolButtonStyle(Qt.ToolButtonTextBesideIcon)
        self.stop_button.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        set_icon(self.start_button, "mdi6.play", "on_primary")
        set_icon(self.stop_button, "mdi6.stop", "stop")
        set_icon(self.regenerate_button, "mdi6.refresh")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.start_button, 0, 0)
        grid.addWidget(self.stop_button, 0, 1)
        grid.addWidget(self.pause_button, 1, 0)
        grid.addWidget(self.regenerate_button, 1, 1)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)

    def show_state(self, state: JobState, *, can_start: bool, can_regenerate: bool) -> None:
        """Enable the buttons that can be used in this state, and update their texts."""
        self._state = state
        idle = state is JobState.IDLE
        steerable = state in (JobState.RUNNING, JobState.PAUSING, JobState.PAUSED)
        waiting = state in (JobState.PAUSING, JobState.PAUSED)
        self.start_button.setEnabled(idle and can_start)
        self.start_button.setToolTip(_start_tip(idle=idle, can_start=can_start))
        self.regenerate_button.setEnabled(idle and can_regenerate)
        self.regenerate_button.setToolTip(_REGENERATE if can_regenerate else "There is no earlier job yet.")
        self.pause_button.setEnabled(steerable)
        self.pause_button.setText("Continue" if waiting else "Pause")
        self.pause_button.setToolTip("Continue the job (F6)." if waiting else "Pause the job at its next step (F6).")
        set_icon(self.pause_button, "mdi6.play-pause" if waiting else "mdi6.pause")
        self.stop_button.setEnabled(steerable or state in _STOPS_AT_ONCE)
        self.stop_button.setText("Stop now" if state in _STOPS_AT_ONCE else "Stop")
        self.after_action.setEnabled(steerable)
        self.now_action.setEnabled(steerable or state in _STOPS_AT_ONCE)

    def show_nothing_is_chosen(self) -> None:
        """Answer the shortcut of Start (F5), which works while the button does not."""
        QToolTip.showText(self.start_button.mapToGlobal(QPoint(0, 0)), _NOTHING_CHOSEN, self.start_button)

    def _on_pause(self) -> None:
        if self._state in (JobState.PAUSED, JobState.PAUSING):
            self.resume.emit()
        else:
            self.pause.emit()

    def _on_stop(self) -> None:
        """Stop after this image on the first click, and immediately on the second."""
        if self._state in _STOPS_AT_ONCE:
            self.stop_now.emit()
        else:
            self.stop_after_image.emit()


def _start_tip(*, idle: bool, can_start: bool) -> str:
    if not idle:
        return "A job is running."
    return "Generate the chosen classes (F5)." if can_start else _NOTHING_CHOSEN
