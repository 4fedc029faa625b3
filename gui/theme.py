"""Light and dark theme: the flat style of PyQtDarkTheme, and icons of QtAwesome in matching colours."""

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
    """Return ``light`` or ``dark``; for ``system``, ask the desktop and use light if it does not answer."""
    if choice in ("light", "dark"):
        return choice
    return "dark" if darkdetect.isDark() else "light"


def apply_theme(choice: str) -> str:
    """Apply a theme to the whole application; return ``light`` or ``dark``."""
    global _current  # noqa: PLW0603 - an application has one theme
    theme = resolve_theme(choice)
    application = QApplication.instance()
    if theme == _current and isinstance(application, QApplication) and application.styleSheet():
        return theme
    _current = theme
    primary = {"primary": _COLORS[theme]["primary"]}  # the colour of the library has too little contrast with the text
    try:
        qdarktheme.setup_theme(theme, custom_colors=primary, additional_qss=_STYLE % _COLORS[theme])
    except OSError:  # it writes icon files into the cache of the user, which may be read-only
        _current = "light"
        QApplication.setStyle("Fusion")
    for window in QApplication.topLevelWidgets():
        refresh_icons(window)
    return theme


def set_icon(target: QWidget | QAction, name: str, color: str = "icon") -> None:
    """Set an icon that follows the theme for a button or action. Names are those of QtAwesome (``mdi6.play``)."""
    target.setProperty(_ICON, name)
    target.setProperty(_COLOR, color)
    _draw(target)


def refresh_icons(window: QWidget) -> None:
    """Redraw the icons of a window after a change of the theme."""
    for target in window.findChildren(QObject):
        if target.property(_ICON):
            _draw(target)


def themed_icon(name: str, color: str = "icon") -> QIcon:
    """Return an icon in a colour of the current theme."""
    colors = _COLORS[_current]
    return qtawesome.icon(name, color=colors[color], color_disabled=colors["disabled"])


def log_color(level: str) -> QColor:
    """Return the colour of a log line (``info``, ``warning``, ``error``) for the background of the theme."""
    return QColor(_COLORS[_current][level])


def _draw(target: QObject) -> None:
    icon = themed_icon(str(target.property(_ICON)), str(target.property(_COLOR) or "icon"))
    if isinstance(target, QLabel):
        target.setPixmap(icon.pixmap(18, 18))
    else:
        target.setIcon(icon)  # type: ignore[attr-defined]  # buttons and actions alike
