"""Left column: the source of the images, either the models of the classes or a metadata-conditioned model."""

from __future__ import annotations

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QSizePolicy, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from gui.settings import CLASS_SOURCE, METADATA_SOURCE
from gui.widgets.class_panel import ClassPanel
from gui.widgets.condition_panel import ConditionPanel
from gui.widgets.controls import ColumnScroll, calm, named

_SOURCES = (CLASS_SOURCE, METADATA_SOURCE)


class SourceTabs(QWidget):
    """Two panels with tabs. The tabs are visible only if there is a metadata-conditioned model.

    Signals:
        changed: the source changed.
    """

    changed = pyqtSignal()

    def __init__(self, classes: ClassPanel, conditions: ConditionPanel) -> None:
        super().__init__()
        self.tabs = calm(
            named(QTabBar(), "sourceTabs", "Source of the images that Start generates.", "Source of the images")
        )
        self.tabs.addTab("Classes")
        self.tabs.addTab("Metadata")
        self._pages = QStackedWidget()
        for page in (classes, conditions):
            page.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Maximum)
            self._pages.addWidget(page)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)
        layout.addWidget(ColumnScroll(content))
        self.tabs.currentChanged.connect(self._on_tab)
        self.show_available(False)

    @property
    def current(self) -> str:
        """Return the source of the next job."""
        return _SOURCES[self.tabs.currentIndex()]

    def choose(self, source: str) -> None:
        """Choose a source if it is available."""
        available = source == CLASS_SOURCE or not self.tabs.isHidden()
        self.tabs.setCurrentIndex(_SOURCES.index(source) if available and source in _SOURCES else 0)

    def show_available(self, metadata: bool) -> None:
        """Show or hide the metadata-conditioned model."""
        self.tabs.setVisible(metadata)
        if not metadata:
            self.tabs.setCurrentIndex(0)

    def _on_tab(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        self.changed.emit()
