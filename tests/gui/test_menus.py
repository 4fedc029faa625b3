from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QApplication, QMenu, QMessageBox
from pytestqt.qtbot import QtBot

from core import __version__
from gui.main_window import MainWindow
from tests.gui.conftest import WAIT_MS, images_in, log_of, wait_for_job


def test_every_action_is_on_the_keyboard_and_no_shortcut_is_taken_twice(window: MainWindow) -> None:
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


def test_the_job_menu_greys_out_what_makes_no_sense(window: MainWindow) -> None:
    menus = window.menus
    menu = menus.start.associatedWidgets()[0]
    assert isinstance(menu, QMenu)
    menu.aboutToShow.emit()
    assert menus.start.isEnabled()
    assert not menus.stop_now.isEnabled()
    assert not menus.regenerate.isEnabled()
    menu.aboutToHide.emit()
    assert menus.stop_now.isEnabled()


def test_details_for_a_bug_report_are_copied(window: MainWindow) -> None:
    actions = [action for menu in window.menuBar().findChildren(QMenu) for action in menu.actions()]
    (copy,) = (action for action in actions if "bug report" in action.text())
    copy.trigger()
    text = QApplication.clipboard().text()
    assert text.startswith(f"ISICGUI {__version__}\n")
    assert f"Device: {window.parts.status.device.text()}" in text
    (box,) = window.findChildren(QMessageBox)
    assert "clipboard" in box.text()
    box.close()
