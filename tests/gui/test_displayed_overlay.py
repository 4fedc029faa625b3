"""With XAI Mode on, the displayed image gets its overlay in the background."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5.QtGui import QImage
from pytestqt.qtbot import QtBot

from gui.main_window import MainWindow
from tests.gui.conftest import WAIT_MS, log_of, wait_for_job
from tests.gui.test_stories import MANY, click, stand_in_for_explanations
from tests.xai.networks import write_classifier

Open = Callable[..., MainWindow]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Images that nobody has explained."""
    made = [tmp_path / "MEL" / f"ISIC_000000{number}.png" for number in (1, 2, 3, 4)]
    made[0].parent.mkdir()
    for shade, file in enumerate(made):
        picture = QImage(32, 32, QImage.Format_RGB888)
        picture.fill(40 * shade)
        assert picture.save(str(file))
    return made


def show(qtbot: QtBot, window: MainWindow, file: Path) -> None:
    window.browsing.show_image(file)
    qtbot.waitUntil(lambda: window.parts.centre.preview.file == file, timeout=WAIT_MS)


def queued(window: MainWindow) -> list[str]:
    return [job.image.stem[-1] for job in window.explanations.jobs]


def test_a_chosen_image_gets_its_overlay(
    qtbot: QtBot, open_window: Open, tiny_checkpoints: Path, files: list[Path]
) -> None:
    """The real process, from the choice to the overlay and the class probabilities."""
    write_classifier(tiny_checkpoints)
    window = open_window(xai_mode=True)
    preview, details = window.parts.centre.preview, window.parts.browser.details
    show(qtbot, window, files[0])
    assert preview.overlay is None
    assert queued(window) == ["1"]
    qtbot.waitUntil(lambda: details.probabilities.note.text() == "by classifier.pth", timeout=6 * WAIT_MS)
    assert preview.file == files[0]
    assert preview.overlay is not None
    qtbot.waitUntil(lambda: not window.keeper.busy, timeout=WAIT_MS)
    show(qtbot, window, files[1])
    assert queued(window) == ["2"]
    window.explanations.cancel()
    show(qtbot, window, files[0])  # its overlay is there
    qtbot.waitUntil(lambda: preview.overlay is not None, timeout=WAIT_MS)
    assert "1" not in queued(window)


def test_without_xai_mode_nothing_is_computed(qtbot: QtBot, window: MainWindow, files: list[Path]) -> None:
    show(qtbot, window, files[0])
    assert not window.explanations.busy


def test_switching_xai_mode_on_explains_the_displayed_image(
    qtbot: QtBot, open_window: Open, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_for_explanations("hang", tmp_path, monkeypatch)
    window = open_window()
    show(qtbot, window, files[2])
    click(qtbot, window, "xaiModeButton")
    qtbot.waitUntil(lambda: queued(window) == ["3"], timeout=WAIT_MS)


def test_the_last_image_of_a_job_is_explained_if_the_job_explains_none(
    qtbot: QtBot, open_window: Open, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_for_explanations("hang", tmp_path, monkeypatch)
    shutil.copytree(files[0].parent, tmp_path / "output" / "MEL")
    window = open_window(quantities={**MANY, "MEL": 2}, xai_mode=True)
    click(qtbot, window, "startButton")
    wait_for_job(qtbot, window)
    assert "No image of MEL is explained in this job; the next is number 10." in log_of(window)
    qtbot.waitUntil(lambda: queued(window) == ["6"], timeout=WAIT_MS)


def test_only_the_last_of_many_chosen_images_waits(
    qtbot: QtBot, open_window: Open, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_for_explanations("hang", tmp_path, monkeypatch)
    window = open_window(xai_mode=True)
    for file in files:
        show(qtbot, window, file)
    assert queued(window) == ["1", "4"]
    show(qtbot, window, files[2])
    window.parts.top.xai_button.setChecked(False)
    assert queued(window) == ["1"]


def test_an_overlay_that_the_user_asks_for_is_not_withdrawn(
    qtbot: QtBot, open_window: Open, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_for_explanations("hang", tmp_path, monkeypatch)
    window = open_window(xai_mode=True)
    for file in files[:2]:
        show(qtbot, window, file)
        click(qtbot, window, "explainButton")
    assert queued(window) == ["1", "2"]  # not twice
    show(qtbot, window, files[2])
    assert queued(window) == ["1", "3", "2"]


def test_a_displayed_image_goes_before_those_of_a_job(
    qtbot: QtBot, open_window: Open, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in_for_explanations("hang", tmp_path, monkeypatch)
    window = open_window(quantities={**MANY, "MEL": 3}, xai_mode=True, xai_cadence=1)
    click(qtbot, window, "startButton")
    wait_for_job(qtbot, window)
    show(qtbot, window, files[3])
    assert queued(window) == ["1", "4", "2", "3"]


def test_a_classifier_that_is_refused_is_one_line_in_the_log(
    qtbot: QtBot,
    open_window: Open,
    files: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    errors: list[str],
) -> None:
    stand_in_for_explanations("refuse", tmp_path, monkeypatch)
    window = open_window(xai_mode=True)
    for file in files[:2]:
        show(qtbot, window, file)
        qtbot.waitUntil(lambda: not window.explanations.busy, timeout=WAIT_MS)
    assert log_of(window).count("has no overlay: There is no classifier.") == 1
    assert errors == []
