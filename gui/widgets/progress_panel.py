"""Below the preview: the current image, the progress of the whole job, and the remaining time."""

from __future__ import annotations

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from core.generation.wording import counted_images
from gui.job_progress import JobProgress
from gui.remaining_time import in_words
from gui.widgets.controls import label, named

_STEPS = 1000  # resolution of the bar; a job may have more denoising steps


class ProgressPanel(QWidget):
    """Caption, progress bar and remaining time."""

    def __init__(self) -> None:
        super().__init__()
        self.caption = named(label("", "quiet"), "captionLabel", "Image in the preview.")
        self.state = named(label("", "heading"), "stateLabel", "State of the job.")
        self.count = named(label(""), "imageCountLabel", "Finished images of the job.")
        self.left = named(label("", "quiet"), "timeLeftLabel", "Remaining time of the whole job.")
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
        """Show the state of the job; hide the label if the text is empty."""
        self.state.setText(text)
        self.state.setVisible(bool(text))

    def show_progress(self, progress: JobProgress) -> None:
        """Show the progress of the job."""
        self.bar.setRange(0, _STEPS)
        self.bar.setValue(round(_STEPS * progress.fraction))
        self.count.setText(f"{progress.done} of {counted_images(progress.job.total)}")
        left = progress.seconds_left
        self.left.setText(f"{in_words(left)} left" if left else "")

    def show_preparing(self) -> None:
        """Show an indeterminate bar while the models are loaded."""
        self.bar.setRange(0, 0)
        self.count.setText("")
        self.left.setText("")

    def show_ended(self) -> None:
        """Show that the job has ended."""
        if self.bar.maximum() == 0:
            self.bar.setRange(0, _STEPS)
            self.bar.setValue(0)
        self.left.setText("")
