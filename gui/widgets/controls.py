"""Functions that create common controls with object name, tool tip and accessible name."""

from __future__ import annotations

import html
from typing import TypeVar

from PyQt5.QtCore import QEvent, QObject, QSize, Qt
from PyQt5.QtWidgets import QComboBox, QHBoxLayout, QLabel, QScrollArea, QSpinBox, QToolButton, QWidget

from gui.theme import set_icon

AnyWidget = TypeVar("AnyWidget", bound=QWidget)
_HEADING_HEIGHT = 28
_FRAMES = 4  # pixels for the frames of the theme, which a splitter does not reserve


def named(widget: AnyWidget, object_name: str, tool_tip: str, accessible: str = "") -> AnyWidget:
    """Set the object name, the tool tip, and the accessible name of a widget."""
    widget.setObjectName(object_name)
    widget.setToolTip(tool_tip)
    widget.setAccessibleName(accessible or tool_tip.partition(".")[0])
    return widget


def plain_tool_tip(text: str) -> str:
    """Return a tool tip that shows the text unchanged. Qt would interpret text that looks like HTML."""
    return f"<qt>{html.escape(text)}</qt>" if "<" in text else text


class _WheelGuard(QObject):
    """Blocks the mouse wheel for a widget without the focus, and passes the event to the scroll area."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Block wheel events of a widget without the focus."""
        if event.type() == QEvent.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


def calm(widget: AnyWidget) -> AnyWidget:
    """Let the mouse wheel change a value only while the widget has the focus, to avoid unintended changes."""
    widget.setFocusPolicy(Qt.StrongFocus)  # the default of a combo box takes the focus by the wheel
    widget.installEventFilter(_WheelGuard(widget))
    return widget


class ColumnScroll(QScrollArea):
    """A vertical scroll area that is always wide enough for its content."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the width of content and scroll bar."""
        width = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(width + _FRAMES, super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Update the width when the content changes."""
        if watched is self.widget() and event.type() == QEvent.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


def spin_box(object_name: str, tool_tip: str, low: int, high: int, value: int) -> QSpinBox:
    """Create a spin box with its range."""
    box = calm(named(QSpinBox(), object_name, tool_tip))
    box.setRange(low, high)
    box.setValue(value)
    box.setKeyboardTracking(False)
    return box


def combo_box(object_name: str, tool_tip: str) -> QComboBox:
    """An empty combo box."""
    return calm(named(QComboBox(), object_name, tool_tip))


def tool_button(object_name: str, icon: str, tool_tip: str, text: str = "") -> QToolButton:
    """Create a flat button with an icon of the theme."""
    button = named(QToolButton(), object_name, tool_tip, text or tool_tip)
    button.setAutoRaise(True)
    set_icon(button, icon)
    if text:
        button.setText(text)
    return button


def label(text: str, role: str = "", buddy: QWidget | None = None) -> QLabel:
    """Create a label. Roles are ``heading`` and ``quiet``; the shortcut of the label focuses its buddy."""
    made = QLabel(text)
    made.setTextFormat(Qt.PlainText)  # it may show a name from a file, which must not be read as HTML
    if role:
        made.setProperty("role", role)
    if buddy is not None:
        made.setBuddy(buddy)
    return made


def heading_line(text: str, *widgets: QWidget) -> QHBoxLayout:
    """Create a heading with controls to its right. It has the same height in every column."""
    heading = label(text, "heading")
    heading.setMinimumHeight(_HEADING_HEIGHT)
    line = QHBoxLayout()
    line.addWidget(heading)
    line.addStretch(1)
    for widget in widgets:
        line.addWidget(widget)
    return line
