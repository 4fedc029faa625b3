"""Lay out the widgets of the window, and copy settings into and out of them."""

from __future__ import annotations

from dataclasses import replace

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QMainWindow, QSplitter, QVBoxLayout, QWidget

from gui.settings import Settings, stored_condition
from gui.tasks.browsing import Thumbnails
from gui.widgets.browser import Browser
from gui.widgets.class_panel import ClassPanel
from gui.widgets.condition_panel import ConditionPanel
from gui.widgets.explanation_panel import ExplanationPanel
from gui.widgets.job_buttons import JobButtons
from gui.widgets.log_panel import LogPanel
from gui.widgets.notice_bar import NoticeBar
from gui.widgets.options_row import OptionsRow
from gui.widgets.preview_panel import PreviewPanel
from gui.widgets.source_tabs import SourceTabs
from gui.widgets.status_labels import StatusLabels
from gui.widgets.top_bar import TopBar
from xai.job import ANALYSIS, OVERLAY

_MARGIN = 10


class Layout:
    """All widgets of the window and their layout."""

    def __init__(self, window: QMainWindow, thumbnails: Thumbnails) -> None:
        self.top, self.options = TopBar(), OptionsRow()
        self.models_notice = NoticeBar("modelsNoticeLabel", "mdi6.flask-outline")
        self.unfinished_notice = NoticeBar("unfinishedNoticeLabel", "mdi6.progress-clock")
        self.closing_notice = NoticeBar("closingNoticeLabel", "mdi6.timer-sand")
        self.classes, self.conditions, self.buttons = ClassPanel(), ConditionPanel(), JobButtons()
        self.sources = SourceTabs(self.classes, self.conditions)
        self.centre = PreviewPanel()
        self.queue, self.analyses = ExplanationPanel(OVERLAY), ExplanationPanel(ANALYSIS)
        self.browser = Browser(thumbnails)
        self.log = LogPanel()
        self.status = StatusLabels()
        self.columns, self.rows = self._splitters()
        self.splitters = (self.columns, self.rows, self.browser.splitter)
        window.setStatusBar(self.status)
        window.setCentralWidget(self._central())

    def _splitters(self) -> tuple[QSplitter, QSplitter]:
        left, centre = QWidget(), QWidget()
        column = _column(left)
        column.addWidget(self.sources, 1)
        column.addWidget(self.buttons)
        column = _column(centre)
        column.addWidget(self.centre, 1)
        column.addWidget(self.queue)
        column.addWidget(self.analyses)
        columns = _splitter("columnsSplitter", Qt.Horizontal, ((left, 0), (centre, 3), (self.browser, 1)))
        columns.setSizes([345, 480, 415])
        rows = _splitter("rowsSplitter", Qt.Vertical, ((columns, 1), (self.log, 0)))
        rows.setSizes([510, 100])
        return columns, rows

    def _central(self) -> QWidget:
        central = QWidget()
        layout = QVBoxLayout(central)
        layout.setContentsMargins(_MARGIN, 6, _MARGIN, 4)
        layout.setSpacing(6)
        for part in (self.top, self.options, self.closing_notice, self.models_notice, self.unfinished_notice):
            layout.addWidget(part)
        layout.addWidget(self.rows, 1)
        return central

    def lock(self, locked: bool) -> None:
        """Lock the settings that do not affect a running job, or unlock them."""
        for widget in (self.options, self.sources, self.top.device, self.top.analysis):
            widget.setDisabled(locked)

    def fill(self, settings: Settings) -> None:
        """Show settings in the widgets."""
        options, top = self.options, self.top
        self.classes.fill(settings.quantities, settings.chosen)
        self.conditions.fill(stored_condition(settings), settings.guidance)
        self.conditions.quantity.setValue(settings.condition_count)
        self.sources.choose(settings.source)
        options.steps.setValue(settings.steps)
        options.reuse.setValue(settings.reuse)
        options.seed.setValue(settings.base_seed)
        options.random_seed.setChecked(settings.random_seed)
        options.batch.setValue(settings.batch_size)
        top.cadence.setValue(settings.xai_cadence)
        top.analysis.show_interval(settings.analysis_interval, chosen=settings.analysis_chosen)
        options.color.setChecked(settings.color_adjustment)
        options.choose(options.sampler, settings.sampler)
        options.choose(options.precision, settings.precision)
        top.choose_device(settings.device)
        top.xai_button.setChecked(settings.xai_mode)
        top.xai_steps.setValue(settings.xai_stride)
        top.options_button.setChecked(settings.show_options)
        options.setVisible(settings.show_options)
        self.centre.live_check.setChecked(settings.live_preview)
        self.centre.opacity.setValue(settings.overlay_opacity)
        self.centre.show_overlay_controls(settings.xai_mode)

    def collect(self, settings: Settings) -> Settings:
        """Return the settings updated with the values of all widgets."""
        options, top = self.options, self.top
        return replace(
            settings,
            source=self.sources.current,
            condition=self.conditions.condition.to_json(),
            guidance=self.conditions.guidance.value(),
            condition_count=self.conditions.quantity.value(),
            quantities=self.classes.quantities,
            chosen=self.classes.chosen,
            steps=options.steps.value(),
            sampler=str(options.sampler.currentData()),
            reuse=options.reuse.value(),
            base_seed=options.seed.value(),
            random_seed=options.random_seed.isChecked(),
            precision=str(options.precision.currentData()),
            batch_size=options.batch.value(),
            color_adjustment=options.color.isChecked(),
            device=top.device_name,
            xai_mode=top.xai_button.isChecked(),
            xai_stride=top.xai_steps.value(),
            xai_cadence=top.cadence.value(),
            analysis_interval=top.analysis.value(),
            analysis_chosen=top.analysis.chosen,
            overlay_opacity=self.centre.opacity.value(),
            live_preview=self.centre.live_check.isChecked(),
            show_options=top.options_button.isChecked(),
        )


def _column(parent: QWidget) -> QVBoxLayout:
    layout = QVBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    return layout


def _splitter(object_name: str, orientation: Qt.Orientation, parts: tuple[tuple[QWidget, int], ...]) -> QSplitter:
    splitter = QSplitter(orientation)
    splitter.setObjectName(object_name)
    splitter.setChildrenCollapsible(False)
    splitter.setHandleWidth(12)
    for index, (part, stretch) in enumerate(parts):
        splitter.addWidget(part)
        splitter.setStretchFactor(index, stretch)
    return splitter
