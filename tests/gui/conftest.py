"""The window in tests: offscreen, with separate settings, tiny models, and no message box that waits for a click."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from PyQt5.QtCore import QSettings
from pytestqt.qtbot import QtBot

from core.generation.job import GenerationJob
from gui.main_window import MainWindow
from gui.settings import Settings, save_settings

WAIT_MS = 20_000


@pytest.fixture(autouse=True)
def nothing_left_behind(nothing_left_behind: None) -> Iterator[None]:
    """The check of all tests, once Python has forgotten Qt's threads.

    Up to Python 3.12 ``threading`` lists a thread of Qt's for ever. Whether those have ended, ``end`` knows.
    """
    yield
    for thread in threading.enumerate():
        if isinstance(thread, threading._DummyThread):
            threading._active.pop(thread.ident, None)


@pytest.fixture
def store(tmp_path: Path) -> QSettings:
    """Settings for one test."""
    return QSettings(str(tmp_path / "settings" / "window.ini"), QSettings.IniFormat)


@pytest.fixture
def settings(tiny_checkpoints: Path, tmp_path: Path) -> Settings:
    """A job with one image of MEL and a few steps."""
    quantities = dict.fromkeys(("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"), 1)
    return Settings(
        checkpoints=str(tiny_checkpoints),
        output=str(tmp_path / "output"),
        quantities=quantities,
        steps=3,
        batch_size=1,
        precision="fp32",
        theme="light",
    )


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the texts of error boxes."""
    shown: list[str] = []
    monkeypatch.setattr("gui.main_window.show_error", lambda _parent, text: shown.append(text))
    return shown


@pytest.fixture
def open_window(
    qtbot: QtBot, store: QSettings, settings: Settings, errors: list[str], tmp_path: Path
) -> Iterator[Callable[..., MainWindow]]:
    """Open windows with the test's settings and the given changes; close all of them afterwards."""
    opened: list[MainWindow] = []

    def open_one(**changes: Any) -> MainWindow:
        if not opened:
            save_settings(store, replace(settings, **changes))
        window = MainWindow(store, tmp_path / "xai_results")
        opened.append(window)  # not given to qtbot, which deletes widgets before fixtures can end their threads
        window.show()
        return window

    yield open_one
    for window in opened:
        end(qtbot, window)
        window.deleteLater()
    qtbot.wait(1)


@pytest.fixture
def window(open_window: Callable[..., MainWindow]) -> MainWindow:
    """A window with the test's settings."""
    return open_window()


def end(qtbot: QtBot, window: MainWindow) -> None:
    """Close a window cleanly and wait for its background work."""
    window.controller.stop_now()
    qtbot.waitUntil(lambda: not window.controller.generating, timeout=WAIT_MS)
    window.evaluations.cancel()
    window.explanations.cancel()
    qtbot.waitUntil(lambda: not window.evaluations.busy and not window.explanations.busy, timeout=WAIT_MS)
    window.close()
    qtbot.waitUntil(lambda: not window.keeper.busy and not window.explanations.busy, timeout=WAIT_MS)


def wait_for_job(qtbot: QtBot, window: MainWindow) -> None:
    """Wait until the job and its follow-up work have ended."""
    qtbot.waitUntil(lambda: not window.controller.active, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not window.keeper.busy, timeout=WAIT_MS)


def log_of(window: MainWindow) -> str:
    """Return the text of the log."""
    window.parts.log.flush()
    return str(window.parts.log.console.toPlainText())


def images_in(output: Path) -> list[str]:
    """Return class and number of every image."""
    return sorted(f"{path.parent.name}/{path.stem[-2:]}" for path in output.glob("*/ISIC_*.png"))


def job(tmp_path: Path, **changes: Any) -> GenerationJob:
    """A job for tests that generate nothing."""
    values: dict[str, Any] = {"counts": {"MEL": 2, "NV": 1}, "checkpoints": tmp_path, "output": tmp_path, "steps": 10}
    return GenerationJob(**{**values, **changes})
