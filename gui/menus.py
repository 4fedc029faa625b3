"""The menu bar: every action of the window with a keyboard shortcut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PyQt5.QtWidgets import QAction, QActionGroup, QMainWindow, QMenu

from gui.dialogs import show_about
from gui.settings import THEMES
from gui.theme import set_icon

if TYPE_CHECKING:
    from collections.abc import Callable

    from gui.job_actions import JobActions
    from gui.job_controller import JobController
    from gui.layout import Layout


@dataclass(frozen=True)
class WindowCommands:
    """The functions of the window that the menus call."""

    select_models: Callable[[], None]
    download_models: Callable[[], None]
    select_output: Callable[[], None]
    open_output: Callable[[], None]
    evaluate_set: Callable[[], None]
    refresh: Callable[[], None]
    choose_theme: Callable[[str], None]


class Menus:
    """Builds the menus of a window and keeps the actions that change with its state."""

    def __init__(
        self,
        window: QMainWindow,
        parts: Layout,
        commands: WindowCommands,
        *,
        jobs: JobActions,
        controller: JobController,
        theme: str,
    ) -> None:
        self._window, self._parts, self._commands = window, parts, commands
        self._jobs, self._controller, self._theme = jobs, controller, theme
        self._file(window.menuBar().addMenu("&File"))
        self._job(window.menuBar().addMenu("&Job"))
        self._view(window.menuBar().addMenu("&View"))
        self._help(window.menuBar().addMenu("&Help"))

    def _file(self, menu: QMenu) -> None:
        commands = self._commands
        self._add(menu, "Select &models…", "Ctrl+M", "mdi6.folder-search-outline", commands.select_models)
        self.download = self._add(menu, "&Download models…", "Ctrl+D", "mdi6.download", commands.download_models)
        self.download.setObjectName("downloadModelsAction")
        menu.addSeparator()
        self._add(menu, "Select &output…", "Ctrl+O", "mdi6.folder-download-outline", commands.select_output)
        self._add(menu, "Open output &folder", "Ctrl+Shift+O", "mdi6.folder-open-outline", commands.open_output)
        self._add(menu, "&Evaluate this set…", "Ctrl+E", "mdi6.chart-box-outline", commands.evaluate_set)
        self._add(menu, "&Read folders again", "Ctrl+Shift+R", "mdi6.refresh", commands.refresh)
        menu.addSeparator()
        self._add(menu, "&Quit", "Ctrl+Q", "mdi6.exit-to-app", self._window.close)

    def _job(self, menu: QMenu) -> None:
        jobs, controller = self._jobs, self._controller
        self.start = self._add(menu, "&Start", "F5", "mdi6.play", jobs.start)
        self.pause = self._add(menu, "&Pause or continue", "F6", "mdi6.play-pause", jobs.pause_or_resume)
        self.stop_after = self._add(menu, "Stop &after this image", "F7", "mdi6.stop", controller.stop_after_image)
        self.stop_now = self._add(menu, "Stop &now", "Shift+F7", "mdi6.stop-circle-outline", controller.stop_now)
        menu.addSeparator()
        self.regenerate = self._add(menu, "&Regenerate", "Ctrl+R", "mdi6.refresh", jobs.regenerate)
        menu.aboutToShow.connect(self._show_what_can_be_done)
        menu.aboutToHide.connect(self._enable_all)

    def _show_what_can_be_done(self) -> None:
        """Disable actions that are not possible now. Shortcuts stay enabled; their functions check the state."""
        buttons = self._parts.buttons
        self.start.setEnabled(buttons.start_button.isEnabled())
        self.pause.setEnabled(buttons.pause_button.isEnabled())
        self.stop_after.setEnabled(buttons.after_action.isEnabled())
        self.stop_now.setEnabled(buttons.now_action.isEnabled())
        self.regenerate.setEnabled(buttons.regenerate_button.isEnabled())

    def _enable_all(self) -> None:
        for action in (self.start, self.pause, self.stop_after, self.stop_now, self.regenerate):
            action.setEnabled(True)

    def _view(self, menu: QMenu) -> None:
        parts = self._parts
        themes = menu.addMenu("&Theme")
        group = QActionGroup(self._window)
        for name in THEMES:
            action = themes.addAction(name.capitalize())
            action.setObjectName(f"{name}ThemeAction")
            action.setCheckable(True)
            action.setChecked(self._theme == name)
            action.triggered.connect(lambda _, name=name: self._commands.choose_theme(name))
            group.addAction(action)
        live = parts.centre.live_check
        self._add(menu, "&Live preview", "Ctrl+L", "mdi6.image-outline", live.toggle)
        self._add(menu, "&Options row", "Ctrl+T", "mdi6.tune-variant", parts.top.options_button.toggle)
        self._add(menu, "&Search the log", "Ctrl+F", "mdi6.magnify", parts.log.search.setFocus)

    def _help(self, menu: QMenu) -> None:
        self._add(menu, "&About", "F1", "mdi6.information-outline", lambda: show_about(self._window))

    def _add(self, menu: QMenu, text: str, keys: str, icon: str, action: Callable[[], object]) -> QAction:
        made = menu.addAction(text)
        made.setShortcut(keys)
        set_icon(made, icon)
        made.triggered.connect(lambda _checked: action())
        self._window.addAction(made)  # so that the shortcut works while the menu bar is hidden
        return made
