"""A line under the top bar for notices and decisions that need no dialog."""

from __future__ import annotations

from collections.abc import Callable

from PyQt5.QtWidgets import QFrame, QHBoxLayout, QPushButton

from gui.theme import set_icon
from gui.widgets.controls import label, named, plain_tool_tip, tool_button


class NoticeBar(QFrame):
    """One notice with its buttons. A text that the user has dismissed is not shown again."""

    def __init__(self, object_name: str, icon: str) -> None:
        super().__init__()
        self.setObjectName("noticeBar")
        self.setFrameShape(QFrame.StyledPanel)
        self.text = named(label(""), object_name, "A notice.", "Notice")
        self.text.setWordWrap(True)
        self._dismissed = ""
        self._buttons: list[QPushButton] = []
        icon_label = label("")
        set_icon(icon_label, icon)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(10, 4, 6, 4)
        self._layout.addWidget(icon_label)
        self._layout.addWidget(self.text, 1)
        self._close = tool_button(f"{object_name}CloseButton", "mdi6.close", "Hide this notice.")
        self._close.clicked.connect(self._dismiss)
        self._layout.addWidget(self._close)
        self.hide()

    def add_button(self, object_name: str, text: str, tool_tip: str, action: Callable[[], None]) -> QPushButton:
        """Add a button to the notice."""
        button = named(QPushButton(text), object_name, tool_tip, text)
        button.clicked.connect(lambda _checked: action())
        self._layout.insertWidget(self._layout.count() - 1, button)
        self._buttons.append(button)
        return button

    def show_text(self, text: str) -> None:
        """Show a text instead of the previous one."""
        if text != self._dismissed:
            self.text.setText(text)
            self.text.setToolTip(plain_tool_tip(text))
            self.show()

    def _dismiss(self) -> None:
        self._dismissed = self.text.text()
        self.hide()
