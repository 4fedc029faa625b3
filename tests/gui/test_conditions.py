"""The second source of images: a metadata-conditioned model in the models folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5.QtCore import QSettings, Qt
from pytestqt.qtbot import QtBot

from core.models.conditions import Condition
from core.models.guided_checkpoints import CONDITIONED_FILE
from core.output.image_file import read_parameters
from gui.main_window import MainWindow
from gui.settings import CLASS_SOURCE, METADATA_SOURCE, Settings, load_settings, stored_condition
from tests.conftest import write_conditioned
from tests.gui.conftest import WAIT_MS, images_in, wait_for_job

KNOWN = Condition(melanocytic=False, sex="female", age=55.0, site="head/neck")


@pytest.fixture
def conditioned(tiny_checkpoints: Path) -> Path:
    """A models folder with models of classes and a metadata-conditioned model."""
    return write_conditioned(tiny_checkpoints)


def test_it_is_offered_only_if_there_is_one(window: MainWindow, tiny_checkpoints: Path, tmp_path: Path) -> None:
    sources = window.parts.sources
    assert sources.tabs.isHidden()
    sources.choose(METADATA_SOURCE)
    assert sources.current == CLASS_SOURCE
    (tiny_checkpoints / CONDITIONED_FILE).touch()
    window.use_models(tiny_checkpoints)
    assert sources.tabs.isVisible()
    sources.choose(METADATA_SOURCE)
    (tiny_checkpoints / CONDITIONED_FILE).unlink()
    window.use_models(tiny_checkpoints)
    assert (sources.current, sources.tabs.isHidden()) == (CLASS_SOURCE, True)


@pytest.mark.usefixtures("conditioned")
def test_from_the_condition_to_the_image_and_back(
    qtbot: QtBot, open_window: Callable[..., MainWindow], store: QSettings
) -> None:
    window = open_window(chosen=[], condition_count=2)
    parts, output = window.parts, Path(window.settings.output)
    assert not parts.buttons.start_button.isEnabled()
    parts.sources.tabs.setCurrentIndex(1)
    assert parts.conditions.isVisible()
    assert not parts.classes.isVisible()
    parts.conditions.fill(KNOWN, 3.0)
    qtbot.mouseClick(parts.buttons.start_button, Qt.LeftButton)
    wait_for_job(qtbot, window)
    assert images_in(output) == ["NON_MELANOCYTIC/01", "NON_MELANOCYTIC/02"]
    image = output / "NON_MELANOCYTIC" / "ISIC_0000001.png"
    made = read_parameters(image)
    assert (made.condition, made.guidance) == (KNOWN, 3.0)
    assert parts.browser.folders.item(0).text() == "NON_MELANOCYTIC (2)"
    window.browsing.show_image(image)
    shown = parts.browser.details.rows["Class"]
    text = "melanocytic no, sex female, age 55, site head/neck (guidance 3)"
    qtbot.waitUntil(lambda: shown.text() == text, timeout=WAIT_MS)
    parts.sources.choose(CLASS_SOURCE)
    parts.conditions.fill(Condition(), 1.0)
    window.images.use_settings(image)
    assert parts.sources.current == METADATA_SOURCE
    assert (parts.conditions.condition, parts.conditions.guidance.value()) == (KNOWN, 3.0)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=WAIT_MS)
    stored = load_settings(store)
    assert (stored.source, stored_condition(stored), stored.guidance) == (METADATA_SOURCE, KNOWN, 3.0)
    again = open_window()
    assert again.parts.sources.current == METADATA_SOURCE
    assert again.parts.conditions.condition == KNOWN


@pytest.mark.usefixtures("conditioned")
def test_a_folder_of_the_classes_is_refused_in_one_sentence(
    qtbot: QtBot, window: MainWindow, errors: list[str]
) -> None:
    qtbot.mouseClick(window.parts.buttons.start_button, Qt.LeftButton)
    wait_for_job(qtbot, window)
    window.parts.sources.choose(METADATA_SOURCE)
    qtbot.mouseClick(window.parts.buttons.start_button, Qt.LeftButton)
    wait_for_job(qtbot, window)
    assert len(errors) == 1
    assert window.settings.output in errors[0]


def test_a_damaged_condition_is_ignored() -> None:
    assert stored_condition(Settings(condition={"sex": "both"})) == Condition()


def test_class_and_skin_tone_can_be_chosen(window: MainWindow) -> None:
    known = Condition(sex="male", class_name="DF", tone="dark")
    window.parts.conditions.fill(known, 2.0)
    assert window.parts.conditions.condition == known
