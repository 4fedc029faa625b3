"""Light and dark: the flat style of PyQtDarkTheme, and icons of QtAwesome that follow it."""

from __future__ import annotations

from typing import Final

import darkdetect
import qdarktheme
import qtawesome
from PyQt5.QtCore import QObject
from PyQt5.QtGui import QColor, QIcon
from PyQt5.QtWidgets import QAction, QApplication, QLabel, QWidget

_ICON: Final = "iconName"
_COLOR: Final = "iconColor"
_STYLE: Final = """
QToolTip { padding: 4px; }
QScrollArea { margin: 0; padding: 0; border: none; }
QLabel[role="heading"] { font-weight: 600; }
QLabel[role="quiet"] { color: %(quiet)s; }
QStatusBar QLabel { padding: 0 6px; color: %(quiet)s; }
QSplitter::handle, QSplitter::handle:horizontal, QSplitter::handle:vertical { background: transparent; image: none; }
QSplitter::handle:hover { background: %(border)s; border-radius: 4px; }
QFrame#noticeBar { border: 1px solid %(border)s; border-radius: 6px; background: %(notice)s; }
QPushButton#startButton { font-weight: 600; }
QPushButton#startButton:enabled { background: %(primary)s; color: %(on_primary)s; border: 1px solid %(primary)s; }
QPushButton#startButton:enabled:hover { background: %(hover)s; }
QPushButton#startButton:enabled:focus { border: 2px solid %(focus)s; }
QToolButton#stopButton {
    border: 1px solid %(border)s; border-top-left-radius: 4px; border-bottom-left-radius: 4px;
    padding: 3px 22px 3px 4px;
}
QToolButton#stopButton::menu-button {
    border: 1px solid %(border)s; border-left: none; border-top-right-radius: 4px; border-bottom-right-radius: 4px;
    width: 20px;
}
QToolButton#stopButton:enabled { color: %(stop)s; }
QToolButton#xaiModeButton { border: 1px solid %(border)s; border-radius: 4px; padding: 3px 8px; }
QToolButton#xaiModeButton:checked { border-color: %(primary)s; color: %(primary)s; font-weight: 600; }
QMenu { border: 1px solid %(border)s; }
QProgressBar { min-height: 10px; max-height: 10px; border-radius: 4px; }
"""
_COLORS: Final = {
    "light": {
        "primary": "#0b63b5",
        "on_primary": "#ffffff",
        "hover": "#0a579f",
        "focus": "#06325c",
        "quiet": "#5f6368",
        "border": "#d3d7dc",
        "notice": "#eef4fb",
        "stop": "#b3261e",
        "icon": "#3c4043",
        "disabled": "#b4b8bc",
        "info": "#1f2328",
        "warning": "#8a5a00",
        "error": "#b3261e",
    },
    "dark": {
        "primary": "#8ab4f7",
        "on_primary": "#14181d",
        "hover": "#a5c5f9",
        "focus": "#e3edfd",
        "quiet": "#a5aab0",
        "border": "#4a4d51",
        "notice": "#262b33",
        "stop": "#ff8a80",
        "icon": "#d7dade",
        "disabled": "#5f6367",
        "info": "#d7dade",
        "warning": "#f2c14e",
        "error": "#ff8a80",
    },
}
_current = "light"


def resolve_theme(choice: str) -> str:
    """``light`` or ``dark``; ``system`` asks the desktop, and is light where it does not say."""
    if choice in ("light", "dark"):
        return choice
    return "dark" if darkdetect.isDark() else "light"


def apply_theme(choice: str) -> str:
    """Give the whole application a theme; returns ``light`` or ``dark``."""
    global _current  # noqa: PLW0603 - an application has one theme
    theme = resolve_theme(choice)
    application = QApplication.instance()
    if theme == _current and isinstance(application, QApplication) and application.styleSheet():
        return theme
    _current = theme
    primary = {"primary": _COLORS[theme]["primary"]}  # the library's own has too little contrast with its text
    try:
        qdarktheme.setup_theme(theme, custom_colors=primary, additional_qss=_STYLE % _COLORS[theme])
    except OSError:  # it keeps its arrows and check marks as files in the user's cache, which may be read-only
        _current = "light"
        QApplication.setStyle("Fusion")
    for window in QApplication.topLevelWidgets():
        refresh_icons(window)
    return theme


def set_icon(target: QWidget | QAction, name: str, color: str = "icon") -> None:
    """Give a button or an action an icon that follows the theme. Names are QtAwesome's, as in ``mdi6.play``."""
    target.setProperty(_ICON, name)
    target.setProperty(_COLOR, color)
    _draw(target)


def refresh_icons(window: QWidget) -> None:
    """Draw the icons of a window again, after the theme has changed."""
    for target in window.findChildren(QObject):
        if target.property(_ICON):
            _draw(target)


def themed_icon(name: str, color: str = "icon") -> QIcon:
    """An icon in a colour of the present theme."""
    colors = _COLORS[_current]
    return qtawesome.icon(name, color=colors[color], color_disabled=colors["disabled"])


def log_color(level: str) -> QColor:
    """The colour of a log line (``info``, ``warning``, ``error``), readable on the theme's background."""
    return QColor(_COLORS[_current][level])


def _draw(target: QObject) -> None:
    icon = themed_icon(str(target.property(_ICON)), str(target.property(_COLOR) or "icon"))
    if isinstance(target, QLabel):
        target.setPixmap(icon.pixmap(18, 18))
    else:
        target.setIcon(icon)  # type: ignore[attr-defined]  # buttons and actions alike
