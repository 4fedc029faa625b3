"""Full analyses of every N-th image while the window generates, by real processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5.QtGui import QImage
from pytestqt.qtbot import QtBot

from gui.main_window import MainWindow
from gui.widgets.analysis_spin import AnalysisSpin
from tests.gui.conftest import WAIT_MS, images_in, log_of, wait_for_job
from tests.gui.test_stories import MANY, click, stand_in_for_explanations
from tests.xai.networks import write_classifier
from xai.job import result_folder

Open = Callable[..., MainWindow]
EVERY_2 = {"xai_mode": True, "xai_cadence": 100, "analysis_interval": 2, "analysis_chosen": True}


@pytest.fixture
def small_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Analyses that are small enough for tests."""
    command = (sys.executable, "-m", "tests.xai.small_analysis")
    monkeypatch.setattr("gui.explanations.headless_command", lambda _package: command)


@pytest.mark.usefixtures("small_analysis")
def test_every_nth_image_is_analysed_beside_the_job(
    qtbot: QtBot, open_window: Open, tiny_checkpoints: Path, tmp_path: Path
) -> None:
    write_classifier(tiny_checkpoints)
    window = open_window(quantities={**MANY, "MEL": 4}, **EVERY_2)
    shown: list[tuple[str, str, int]] = []
    panel = window.parts.analyses
    window.explanations.changed.connect(
        lambda: shown.append((panel.text.text(), panel.bar.toolTip(), panel.bar.value()))
    )
    click(qtbot, window, "startButton")
    wait_for_job(qtbot, window)
    assert len(images_in(Path(window.settings.output))) == 4
    assert [job.image.stem[-1] for job in window.explanations.analyses.jobs] == ["2", "4"]  # no image waited for them
    assert panel.isVisible()
    qtbot.waitUntil(lambda: not window.explanations.busy, timeout=6 * WAIT_MS)
    assert panel.isHidden()
    text = "Analysing MEL/ISIC_0000002.png, 1 waiting"
    assert any(now[:2] == (text, f"{text}: faithfulness") and now[2] > 50 for now in shown)
    for number in (2, 4):
        image = Path(window.settings.output) / "MEL" / f"ISIC_000000{number}.png"
        assert f"{image.parent.name}/{image.name} was analysed." in log_of(window)
        folder = result_folder(tmp_path / "xai_results", image)
        assert (folder / "report.html").is_file()
        facts = json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
        assert facts["trajectory"]["origin"] == "recorded"


def test_analyses_are_off_at_first_on_a_processor_and_the_log_says_so(qtbot: QtBot, open_window: Open) -> None:
    window = open_window(xai_mode=True)
    qtbot.waitUntil(lambda: window.parts.top.device.itemText(0) == "Auto: CPU", timeout=WAIT_MS)
    assert window.parts.top.analysis.text() == "Off"
    click(qtbot, window, "startButton")
    wait_for_job(qtbot, window)
    assert log_of(window).count("Full analyses are off, because each takes minutes on a processor.") == 1
    assert window.explanations.analyses.jobs == ()
    window.explanations.cancel()


def test_who_switches_analyses_off_is_not_reminded(qtbot: QtBot, open_window: Open, tmp_path: Path) -> None:
    window = open_window(xai_mode=True, analysis_chosen=True)
    click(qtbot, window, "startButton")
    wait_for_job(qtbot, window)
    assert "No full analyses" not in log_of(window)
    window.explanations.cancel()


def test_a_refused_analysis_is_one_sentence_and_generation_goes_on(
    qtbot: QtBot, open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: list[str]
) -> None:
    stand_in_for_explanations("refuse", tmp_path, monkeypatch)
    window = open_window(quantities={**MANY, "MEL": 6}, **EVERY_2)
    click(qtbot, window, "startButton")
    wait_for_job(qtbot, window)
    qtbot.waitUntil(lambda: not window.explanations.busy, timeout=WAIT_MS)
    assert len(images_in(Path(window.settings.output))) == 6
    assert log_of(window).count("Full analyses are off for this job: There is no classifier.") == 1
    assert "was not explained" not in log_of(window)
    assert errors == []


def test_a_refused_analysis_that_the_user_asked_for_is_said_in_a_box(
    qtbot: QtBot, open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: list[str]
) -> None:
    stand_in_for_explanations("refuse", tmp_path, monkeypatch)
    window = open_window()
    file = tmp_path / "MEL" / "ISIC_0000001.png"
    file.parent.mkdir()
    assert QImage(8, 8, QImage.Format_RGB888).save(str(file))
    window.parts.browser.wanted.emit("analyse", file)
    qtbot.waitUntil(lambda: not window.explanations.busy, timeout=WAIT_MS)
    assert errors == ["MEL/ISIC_0000001.png was not analysed: There is no classifier."]


def test_the_interval_holds_for_a_job_from_its_start(qtbot: QtBot, open_window: Open) -> None:
    window = open_window(**EVERY_2)
    assert window.collect().job().analyse_every == 2
    window.parts.top.xai_button.setChecked(False)
    assert window.collect().job().analyse_every is None
    click(qtbot, window, "startButton")
    wait_for_job(qtbot, window)
    window.parts.top.xai_button.setChecked(True)
    window.parts.top.analysis.setValue(7)
    click(qtbot, window, "regenerateButton")
    assert window.controller.progress is not None
    assert window.controller.progress.job.analyse_every == 7
    wait_for_job(qtbot, window)
    window.explanations.cancel()


def test_the_interval_depends_on_the_device_until_it_is_set(qtbot: QtBot) -> None:
    spin = AnalysisSpin()
    qtbot.addWidget(spin)
    for device, text in (("", "Off"), ("cuda:0", "100"), ("cpu", "Off"), ("cuda:1", "100")):
        spin.follow(device)
        assert spin.text() == text
    assert not spin.chosen
    spin.setValue(30)
    assert spin.chosen
    spin.follow("cpu")
    assert spin.value() == 30
    spin.setValue(0)
    spin.follow("cuda:0")
    assert spin.text() == "Off"
    spin.show_interval(100, chosen=False)
    spin.follow("cpu")
    assert spin.text() == "Off"


def test_a_device_that_is_chosen_brings_its_default(qtbot: QtBot, window: MainWindow) -> None:
    top = window.parts.top
    qtbot.waitUntil(lambda: top.device.itemText(0) == "Auto: CPU", timeout=WAIT_MS)
    top.device.addItem("CUDA: a GPU", "cuda:0")
    top.choose_device("cuda:0")
    assert (top.analysis.value(), window.collect().analysis_chosen) == (100, False)
    top.choose_device("cpu")
    assert top.analysis.text() == "Off"
