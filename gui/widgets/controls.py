"""Small makers of common controls, so that each has its object name, tool tip and accessible name in one place."""

from __future__ import annotations

import html
from typing import TypeVar

from PyQt5.QtCore import QEvent, QObject, QSize, Qt
from PyQt5.QtWidgets import QComboBox, QHBoxLayout, QLabel, QScrollArea, QSpinBox, QToolButton, QWidget

from gui.theme import set_icon

AnyWidget = TypeVar("AnyWidget", bound=QWidget)
_HEADING_HEIGHT = 28
_FRAMES = 4  # pixels that the theme's frames take of a splitter, which asks for no room for them


def named(widget: AnyWidget, object_name: str, tool_tip: str, accessible: str = "") -> AnyWidget:
    """Give a widget its name for tests and assistive tools, and explain it."""
    widget.setObjectName(object_name)
    widget.setToolTip(tool_tip)
    widget.setAccessibleName(accessible or tool_tip.partition(".")[0])
    return widget


def plain_tool_tip(text: str) -> str:
    """A tool tip that shows the text as it is. Qt would read one that looks like HTML as HTML."""
    return f"<qt>{html.escape(text)}</qt>" if "<" in text else text


class _WheelGuard(QObject):
    """Keeps the mouse wheel from a widget without the focus; the event goes on to what can be scrolled."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Stop a wheel that passes over."""
        if event.type() == QEvent.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


def calm(widget: AnyWidget) -> AnyWidget:
    """Let the mouse wheel change a value only while its widget has the focus: settings must not change unnoticed."""
    widget.setFocusPolicy(Qt.StrongFocus)  # the default of a combo box takes the focus by the wheel
    widget.installEventFilter(_WheelGuard(widget))
    return widget


class ColumnScroll(QScrollArea):
    """Scrolls up and down where its content is too high, and is never too narrow for it: nothing is cut off."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as the content and the scroll bar."""
        width = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(width + _FRAMES, super().minimumSizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """The content may need another width now."""
        if watched is self.widget() and event.type() == QEvent.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


def spin_box(object_name: str, tool_tip: str, low: int, high: int, value: int) -> QSpinBox:
    """A spin box with its range."""
    box = calm(named(QSpinBox(), object_name, tool_tip))
    box.setRange(low, high)
    box.setValue(value)
    box.setKeyboardTracking(False)
    return box


def combo_box(object_name: str, tool_tip: str) -> QComboBox:
    """An empty combo box."""
    return calm(named(QComboBox(), object_name, tool_tip))


def tool_button(object_name: str, icon: str, tool_tip: str, text: str = "") -> QToolButton:
    """A flat button with an icon of the theme."""
    button = named(QToolButton(), object_name, tool_tip, text or tool_tip)
    button.setAutoRaise(True)
    set_icon(button, icon)
    if text:
        button.setText(text)
    return button


def label(text: str, role: str = "", buddy: QWidget | None = None) -> QLabel:
    """A label; roles are ``heading`` and ``quiet``, a buddy gets the focus of the label's shortcut."""
    made = QLabel(text)
    made.setTextFormat(Qt.PlainText)  # it may show a name from a file, which must not be read as HTML
    if role:
        made.setProperty("role", role)
    if buddy is not None:
        made.setBuddy(buddy)
    return made


def heading_line(text: str, *widgets: QWidget) -> QHBoxLayout:
    """A heading with controls at its right; as high in every column, whatever the controls are."""
    heading = label(text, "heading")
    heading.setMinimumHeight(_HEADING_HEIGHT)
    line = QHBoxLayout()
    line.addWidget(heading)
    line.addStretch(1)
    for widget in widgets:
        line.addWidget(widget)
    return line
