"""Centre column: the preview with its controls, and the progress below it."""

from __future__ import annotations

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QSlider, QVBoxLayout, QWidget

from gui.widgets.controls import calm, heading_line, label, named
from gui.widgets.preview_label import PreviewLabel
from gui.widgets.progress_panel import ProgressPanel


class PreviewPanel(QWidget):
    """Preview, overlay controls and progress.

    Signals:
        live_changed: whether to show estimates during denoising.
    """

    live_changed = pyqtSignal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.preview = PreviewLabel()
        self.progress = ProgressPanel()
        self.live_check = named(
            QCheckBox("Live preview"),
            "livePreviewCheck",
            "Show an estimate of the finished image during denoising. Switch it off to save some time.",
        )
        self.opacity = calm(named(QSlider(Qt.Horizontal), "overlayOpacitySlider", "Opacity of the overlay."))
        self.opacity.setRange(0, 100)
        self.opacity.setMinimumWidth(40)
        self.opacity.setMaximumWidth(140)
        self.compare = named(
            QCheckBox("Compare"),
            "compareCheck",
            "Before and after: show the overlay only to the right of a line that follows the mouse.",
        )
        self.outline = named(
            QCheckBox("Outline"),
            "lesionOutlineCheck",
            "Draw the outline of the lesion on images that have a lesion mask.",
        )
        self._overlay_controls = (label("Overlay", "quiet"), self.opacity, self.compare)
        self._lay_out()
        self.live_check.toggled.connect(self.live_changed)
        self.opacity.valueChanged.connect(self.preview.set_opacity)
        self.compare.toggled.connect(self.preview.compare)
        self.outline.toggled.connect(self.preview.show_outline)

    def _lay_out(self) -> None:
        line = heading_line("Preview", *self._overlay_controls, self.outline, self.live_check)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.preview, 1)
        layout.addWidget(self.progress)

    def show_overlay_controls(self, shown: bool) -> None:
        """Show or hide the controls of the overlay."""
        for widget in self._overlay_controls:
            widget.setVisible(shown)
