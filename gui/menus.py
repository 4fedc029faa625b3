"""The menu bar: every action of the window with its shortcut, so that no mouse is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PyQt5.QtWidgets import QAction, QActionGroup, QMenu

from gui.dialogs import show_about
from gui.settings import THEMES
from gui.theme import set_icon

if TYPE_CHECKING:
    from collections.abc import Callable

    from gui.main_window import MainWindow


class Menus:
    """Builds the menus of a window and keeps the actions that change with its state."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._file(window.menuBar().addMenu("&File"))
        self._job(window.menuBar().addMenu("&Job"))
        self._view(window.menuBar().addMenu("&View"))
        self._help(window.menuBar().addMenu("&Help"))

    def _file(self, menu: QMenu) -> None:
        window = self._window
        self._add(menu, "Select &models…", "Ctrl+M", "mdi6.folder-search-outline", window.select_models)
        self.download = self._add(menu, "&Download models…", "Ctrl+D", "mdi6.download", window.download_models)
        self.download.setObjectName("downloadModelsAction")
        menu.addSeparator()
        self._add(menu, "Select &output…", "Ctrl+O", "mdi6.folder-download-outline", window.select_output)
        self._add(menu, "Open output &folder", "Ctrl+Shift+O", "mdi6.folder-open-outline", window.open_output)
        self._add(menu, "&Evaluate this set…", "Ctrl+E", "mdi6.chart-box-outline", window.evaluate_set)
        self._add(menu, "&Read folders again", "Ctrl+Shift+R", "mdi6.refresh", window.browsing.refresh)
        menu.addSeparator()
        self._add(menu, "&Quit", "Ctrl+Q", "mdi6.exit-to-app", window.close)

    def _job(self, menu: QMenu) -> None:
        window, controller = self._window, self._window.controller
        self.start = self._add(menu, "&Start", "F5", "mdi6.play", window.jobs.start)
        self.pause = self._add(menu, "&Pause or continue", "F6", "mdi6.play-pause", window.jobs.pause_or_go_on)
        self.stop_after = self._add(menu, "Stop &after this image", "F7", "mdi6.stop", controller.stop_after_image)
        self.stop_now = self._add(menu, "Stop &now", "Shift+F7", "mdi6.stop-circle-outline", controller.stop_now)
        menu.addSeparator()
        self.regenerate = self._add(menu, "&Regenerate", "Ctrl+R", "mdi6.refresh", window.jobs.regenerate)
        menu.aboutToShow.connect(self._show_what_can_be_done)
        menu.aboutToHide.connect(self._enable_all)

    def _show_what_can_be_done(self) -> None:
        """Grey out what makes no sense now; shortcuts stay on, because what they call checks by itself."""
        buttons = self._window.parts.buttons
        self.start.setEnabled(buttons.start_button.isEnabled())
        self.pause.setEnabled(buttons.pause_button.isEnabled())
        self.stop_after.setEnabled(buttons.after_action.isEnabled())
        self.stop_now.setEnabled(buttons.now_action.isEnabled())
        self.regenerate.setEnabled(buttons.regenerate_button.isEnabled())

    def _enable_all(self) -> None:
        for action in (self.start, self.pause, self.stop_after, self.stop_now, self.regenerate):
            action.setEnabled(True)

    def _view(self, menu: QMenu) -> None:
        window = self._window
        themes = menu.addMenu("&Theme")
        group = QActionGroup(window)
        for name in THEMES:
            action = themes.addAction(name.capitalize())
            action.setObjectName(f"{name}ThemeAction")
            action.setCheckable(True)
            action.setChecked(window.settings.theme == name)
            action.triggered.connect(lambda _, name=name: window.choose_theme(name))
            group.addAction(action)
        live = window.parts.centre.live_check
        self._add(menu, "&Live preview", "Ctrl+L", "mdi6.image-outline", live.toggle)
        self._add(menu, "&Options row", "Ctrl+T", "mdi6.tune-variant", window.parts.top.options_button.toggle)
        self._add(menu, "&Search the log", "Ctrl+F", "mdi6.magnify", window.parts.log.search.setFocus)

    def _help(self, menu: QMenu) -> None:
        self._add(menu, "&About", "F1", "mdi6.information-outline", lambda: show_about(self._window))

    def _add(self, menu: QMenu, text: str, keys: str, icon: str, action: Callable[[], object]) -> QAction:
        made = menu.addAction(text)
        made.setShortcut(keys)
        set_icon(made, icon)
        made.triggered.connect(lambda _checked: action())
        self._window.addAction(made)  # so that the shortcut works while the menu bar is hidden
        return made
