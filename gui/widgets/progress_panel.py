"""Under the preview: what is being made, the whole job's progress, and the time left."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from core.generation.wording import counted_images
from gui.job_progress import JobProgress
from gui.remaining_time import in_words
from gui.widgets.controls import label, named

_STEPS = 1000  # of the bar; a job may have more denoising steps than a bar can show


class ProgressPanel(QWidget):
    """Caption, progress bar, time left."""

    def __init__(self) -> None:
        super().__init__()
        self.caption = named(label("", "quiet"), "captionLabel", "What the preview shows.")
        self.state = named(label("", "heading"), "stateLabel", "What the job does.")
        self.count = named(label(""), "imageCountLabel", "Images of the job that are done.")
        self.left = named(label("", "quiet"), "timeLeftLabel", "Time until the whole job is done.")
        self.left.setAlignment(Qt.AlignRight | Qt.AlignVCenter)
        self.bar = named(QProgressBar(), "progressBar", "Progress of the whole job.")
        self.bar.setRange(0, _STEPS)
        self.bar.setValue(0)
        self.bar.setTextVisible(False)
        self._lay_out()

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.addWidget(self.state)
        line.addWidget(self.count)
        line.addStretch(1)
        line.addWidget(self.left)
        self.caption.setAlignment(Qt.AlignHCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.caption)
        layout.addWidget(self.bar)
        layout.addLayout(line)

    def show_state(self, text: str) -> None:
        """Name what the job does; nothing while there is none."""
        self.state.setText(text)
        self.state.setVisible(bool(text))

    def show_progress(self, progress: JobProgress) -> None:
        """Show where the job stands."""
        self.bar.setRange(0, _STEPS)
        self.bar.setValue(round(_STEPS * progress.fraction))
        self.count.setText(f"{progress.done} of {counted_images(progress.job.total)}")
        left = progress.seconds_left
        self.left.setText(f"{in_words(left)} left" if left else "")

    def show_preparing(self) -> None:
        """A bar that only moves: the job has begun, and how long loading takes is not known."""
        self.bar.setRange(0, 0)
        self.count.setText("")
        self.left.setText("")

    def show_ended(self) -> None:
        """Nothing is left to wait for."""
        if self.bar.maximum() == 0:
            self.bar.setRange(0, _STEPS)
            self.bar.setValue(0)
        self.left.setText("")
