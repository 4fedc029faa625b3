"""A preset sets the options that determine the duration, and the box shows the current preset."""

from __future__ import annotations

import pytest
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from core.presets import FAST, PRESETS, STANDARD, Preset
from gui.widgets.options_row import OptionsRow


@pytest.fixture
def row(qtbot: QtBot) -> OptionsRow:
    made = OptionsRow()
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def values(row: OptionsRow) -> Preset:
    return Preset(str(row.sampler.currentData()), row.steps.value(), row.reuse.value())


def test_the_default_is_the_standard_preset(row: OptionsRow) -> None:
    assert row.preset.currentText() == "Standard"
    assert values(row) == PRESETS[STANDARD]
    assert [row.preset.itemText(index) for index in range(row.preset.count())] == ["Standard", "Fast", "Custom"]


def test_a_preset_sets_sampler_steps_and_reuse(qtbot: QtBot, row: OptionsRow) -> None:
    row.steps.setValue(3)
    row.reuse.setValue(7)
    row.choose(row.sampler, "unipc")
    for key, name, text in ((Qt.Key_Home, STANDARD, "Standard"), (Qt.Key_Down, FAST, "Fast")):
        with qtbot.waitSignal(row.changed):
            qtbot.keyClick(row.preset, key)
        assert values(row) == PRESETS[name]
        assert row.preset.currentText() == text


def test_changed_values_show_custom_until_they_match_a_preset(row: OptionsRow) -> None:
    standard = PRESETS[STANDARD]
    for box, other, own in ((row.steps, 51, standard.steps), (row.reuse, 2, standard.reuse)):
        box.setValue(other)
        assert row.preset.currentText() == "Custom"
        box.setValue(own)
        assert row.preset.currentText() == "Standard"
    row.choose(row.sampler, "unipc")
    assert row.preset.currentText() == "Custom"
    row.seed.setValue(7)
    row.choose(row.sampler, standard.sampler)
    assert row.preset.currentText() == "Standard"  # a seed is of no preset


def test_custom_changes_nothing(qtbot: QtBot, row: OptionsRow) -> None:
    row.steps.setValue(33)
    before = values(row)
    qtbot.keyClick(row.preset, Qt.Key_End)
    assert (values(row), row.preset.currentText()) == (before, "Custom")
    for key in (Qt.Key_Home, Qt.Key_Down, Qt.Key_End):
        qtbot.keyClick(row.preset, key)
    assert (values(row), row.preset.currentText()) == (PRESETS[FAST], "Fast")


def test_it_can_be_reached_with_the_keyboard(row: OptionsRow) -> None:
    assert row.preset.focusPolicy() & Qt.TabFocus
    assert row.reuse.focusPolicy() & Qt.TabFocus
    assert row.reuse.text() == "Off"
    assert row.preset.accessibleName() == "Preset"
