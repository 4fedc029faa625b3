"""Bottom row: the log with filter, search and copy."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from PyQt5.QtCore import QTimer
from PyQt5.QtGui import QTextCharFormat, QTextCursor
from PyQt5.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from core.io.plain_text import printable
from gui.theme import log_color
from gui.widgets.controls import combo_box, heading_line, named, tool_button

LEVELS = ("info", "warning", "error")
_MOST_LINES = 5000
_log = logging.getLogger(__name__)
_WRITE_EVERY_MS = 50


@dataclass(frozen=True)
class _Line:
    time: str
    level: str
    text: str

    def __str__(self) -> str:
        mark = "" if self.level == "info" else f"{self.level.upper()}: "
        return f"{self.time}  {mark}{self.text}"


class LogPanel(QWidget):
    """The log. All lines are kept, so that a filter can be removed again."""

    def __init__(self) -> None:
        super().__init__()
        self.console = named(QPlainTextEdit(), "logConsole", "Log of this session.")
        self.level = combo_box("logLevelCombo", "Show all lines, or only warnings and errors.")
        self.search = named(QLineEdit(), "logSearchEdit", "Show only lines that contain this text.")
        self.copy_button = tool_button("logCopyButton", "mdi6.content-copy", "Copy the lines that are shown.")
        self.clear_button = tool_button("logClearButton", "mdi6.broom", "Empty the log.")
        self._lines: deque[_Line] = deque(maxlen=_MOST_LINES)
        self._waiting: list[_Line] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WRITE_EVERY_MS)
        self._finish_controls()
        self._lay_out()
        self._connect()

    def _finish_controls(self) -> None:
        self.console.setReadOnly(True)
        self.console.setMaximumBlockCount(_MOST_LINES)
        self.console.setLineWrapMode(QPlainTextEdit.WidgetWidth)
        self.console.setMinimumHeight(44)
        for text in ("Everything", "Warnings and errors", "Errors"):
            self.level.addItem(text)
        self.search.setPlaceholderText("Filter")
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(220)

    def _lay_out(self) -> None:
        line = heading_line("Log", self.level, self.search, self.copy_button, self.clear_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.console, 1)

    def _connect(self) -> None:
        self.level.currentIndexChanged.connect(lambda _: self.show_again())
        self.search.textChanged.connect(lambda _: self.show_again())
        self.copy_button.clicked.connect(self.copy)
        self.clear_button.clicked.connect(self.clear)
        self._timer.timeout.connect(self.flush)

    def add(self, level: str, text: str) -> None:
        """Append a line. Lines are written in groups, so that a fast job does not repaint the log for each line."""
        line = _Line(datetime.now().strftime("%H:%M:%S"), level, printable(text, keep="\n"))
        self._lines.append(line)
        if self._shown(line):
            self._waiting.append(line)
            if not self._timer.isActive():
                self._timer.start()

    def flush(self) -> None:
        """Write the waiting lines."""
        bar = self.console.verticalScrollBar()
        follow = bar.value() >= bar.maximum() - 4
        cursor = QTextCursor(self.console.document())
        cursor.movePosition(QTextCursor.End)
        cursor.beginEditBlock()
        for line in self._waiting[-_MOST_LINES:]:
            style = QTextCharFormat()
            style.setForeground(log_color(line.level))
            cursor.insertText(("" if self.console.document().isEmpty() else "\n") + str(line), style)
        cursor.endEditBlock()
        self._waiting.clear()
        if follow:
            bar.setValue(bar.maximum())

    def show_again(self) -> None:
        """Show the kept lines again, after the filter or the theme has changed."""
        self.console.clear()
        self._waiting = [line for line in self._lines if self._shown(line)]
        self.flush()

    def copy(self) -> None:
        """Copy the visible lines to the clipboard."""
        self.flush()
        QApplication.clipboard().setText(self.console.toPlainText())

    def clear(self) -> None:
        """Remove all lines."""
        self._lines.clear()
        self.show_again()

    def _shown(self, line: _Line) -> bool:
        severe = LEVELS.index(line.level) >= self.level.currentIndex()
        return severe and self.search.text().casefold() in str(line).casefold()
