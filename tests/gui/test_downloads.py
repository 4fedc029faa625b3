from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.download.events import Progress
from core.errors import DownloadError
from gui.main_window import MainWindow
from tests.gui.conftest import WAIT_MS, log_of


@pytest.fixture
def models(tiny_checkpoints: Path, tmp_path: Path) -> Path:
    """A folder as the source of a download."""
    return tiny_checkpoints.rename(tmp_path / "elsewhere")


def start(qtbot: QtBot, window: MainWindow, source: str) -> Any:
    window.download_models()
    dialog = window.downloads.dialog
    assert dialog is not None
    dialog.source.setEditText(source)
    qtbot.mouseClick(dialog.start_button, Qt.LeftButton)
    return dialog


def test_models_are_downloaded_and_used(qtbot: QtBot, window: MainWindow, models: Path, tiny_checkpoints: Path) -> None:
    assert not tiny_checkpoints.exists()
    dialog = start(qtbot, window, str(models))
    assert not dialog.start_button.isEnabled()
    assert dialog.close_button.text() == "Cancel"
    qtbot.waitUntil(lambda: not dialog.running, timeout=WAIT_MS)
    assert dialog.close_button.text() == "Close"  # there is nothing to cancel any more
    assert "3 files downloaded" in dialog.status.text()
    assert "unet_MEL_best.pth was installed" in log_of(window)
    qtbot.waitUntil(lambda: not window.keeper.busy, timeout=WAIT_MS)
    assert window.models.usable == ["MEL", "NV", "DF"]
    dialog.reject()
    assert window.downloads.dialog is None


def test_an_invalid_source_is_reported(qtbot: QtBot, window: MainWindow) -> None:
    dialog = start(qtbot, window, "/no/such/place")
    qtbot.waitUntil(lambda: not dialog.running, timeout=WAIT_MS)
    assert "/no/such/place is not a valid source" in dialog.status.text()
    assert dialog.start_button.isEnabled()
    dialog.reject()


def test_cancel_ends_the_download_and_then_the_dialog(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[bool] = []

    def endless(_: object) -> Any:
        try:
            while True:
                yield Progress("models.zip", "download", 10, 100, 5.0, 18.0)
        finally:
            closed.append(True)

    monkeypatch.setattr("core.download.fetch_models", endless)
    dialog = start(qtbot, window, str(Path(__file__).parent))
    qtbot.waitUntil(lambda: "models.zip: 10 B of 100 B" in dialog.status.text(), timeout=WAIT_MS)
    dialog.reject()
    qtbot.waitUntil(lambda: window.downloads.dialog is None, timeout=WAIT_MS)
    assert closed == [True]


def test_a_failure_reports_that_received_bytes_are_kept(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> Any:
        yield Progress("models.zip", "download", 10, None, None, None)
        raise DownloadError("The connection was interrupted; the received bytes are kept.")

    monkeypatch.setattr("core.download.fetch_models", fail)
    dialog = start(qtbot, window, str(Path(__file__).parent))
    qtbot.waitUntil(lambda: not dialog.running, timeout=WAIT_MS)
    assert dialog.status.text() == "The connection was interrupted; the received bytes are kept."
    dialog.reject()
