from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from gui.main_window import MainWindow
from tests.gui.conftest import WAIT_MS, images_in, log_of, wait_for_job


def test_every_action_has_a_unique_shortcut(window: MainWindow) -> None:
    actions = [action for menu in window.menuBar().findChildren(QMenu) for action in menu.actions()]
    plain = [action for action in actions if not (action.isSeparator() or action.menu() or action.isCheckable())]
    assert [action.text() for action in plain if action.shortcut().isEmpty()] == []
    keys = [action.shortcut().toString() for action in plain]
    assert len(keys) == len(set(keys)) > 12


def test_a_job_by_keyboard_alone(qtbot: QtBot, open_window: Callable[..., MainWindow]) -> None:
    window = open_window(steps=400)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=WAIT_MS)
    qtbot.keyClick(window, Qt.Key_F5)
    qtbot.waitUntil(lambda: window.controller.progress is not None, timeout=WAIT_MS)
    progress = window.controller.progress
    assert progress is not None
    qtbot.waitUntil(lambda: progress.position > 0, timeout=WAIT_MS)
    qtbot.keyClick(window, Qt.Key_F7, Qt.ShiftModifier)
    wait_for_job(qtbot, window)
    assert images_in(Path(window.settings.output)) == []
    assert "Stopped" in log_of(window)


def test_the_job_menu_disables_impossible_actions(window: MainWindow) -> None:
    menus = window.menus
    menu = menus.start.associatedWidgets()[0]
    assert isinstance(menu, QMenu)
    menu.aboutToShow.emit()
    assert menus.start.isEnabled()
    assert not menus.stop_now.isEnabled()
    assert not menus.regenerate.isEnabled()
    menu.aboutToHide.emit()
    assert menus.stop_now.isEnabled()
