"""Tests of single widgets."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from PyQt5.QtCore import QPoint, QPointF, Qt
from PyQt5.QtGui import QColor, QImage, QWheelEvent
from PyQt5.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from core.classes import CLASSES
from core.generation.events import ClassStarted
from gui.checkpoint_folder import Availability
from gui.job_progress import JobProgress
from gui.job_state import JobState
from gui.tasks.engine import EngineFacts
from gui.tasks.generation import StepReport
from gui.theme import log_color
from gui.widgets.class_panel import ClassPanel
from gui.widgets.controls import spin_box
from gui.widgets.job_buttons import JobButtons
from gui.widgets.log_panel import LogPanel
from gui.widgets.preview_label import PreviewLabel
from gui.widgets.progress_panel import ProgressPanel
from gui.widgets.status_labels import StatusLabels
from gui.widgets.top_bar import TopBar
from tests.gui.conftest import job


def picture(width: int, height: int, color: str = "red") -> QImage:
    made = QImage(width, height, QImage.Format_RGB888)
    made.fill(QColor(color))
    return made


@pytest.fixture
def classes(qtbot: QtBot) -> ClassPanel:
    panel = ClassPanel()
    qtbot.addWidget(panel)
    usable = {"MEL": Availability(True, "fine"), "NV": Availability(True, "fine")}
    panel.show_availability({name: usable.get(name, Availability(False, "no file")) for name in CLASSES})
    return panel


def test_class_panel_counts_ticked_usable_classes(classes: ClassPanel) -> None:
    classes.fill({"MEL": 3, "NV": 4, "BCC": 5}, ["MEL", "NV", "BCC"])
    assert classes.chosen == ["MEL", "NV"]
    classes.show_forecast(None, None)
    assert classes.total_label.text() == "7 images of 2 classes"
    assert classes.estimate_label.isHidden()
    classes.show_forecast(200.0, 1_500_000)
    assert classes.estimate_label.text() == "About 3 min, 1.5 MB on disk"


def test_class_panel_ticks_all_usable_classes(qtbot: QtBot, classes: ClassPanel) -> None:
    for name, ticked in (("allClassesButton", ["MEL", "NV"]), ("noClassesButton", [])):
        qtbot.mouseClick(classes.findChild(object, name), Qt.LeftButton)
        assert classes.chosen == ticked


def test_class_panel_names_the_diagnosis_and_the_reason(classes: ClassPanel) -> None:
    row = classes.rows["DF"]
    assert row.name.text() == "Dermatofibroma"
    assert row.check.toolTip() == "Dermatofibroma\nno file"
    assert not row.quantity.isEnabled()


@pytest.mark.parametrize(
    ("state", "enabled"),
    [
        (JobState.IDLE, "start regenerate"),
        (JobState.RUNNING, "pause stop"),
        (JobState.PAUSED, "pause stop"),
        (JobState.STOPPING_AFTER_IMAGE, "stop"),
        (JobState.STOPPING_NOW, ""),
        (JobState.REPRODUCING, "stop"),
    ],
)
def test_job_buttons_enable_possible_actions(qtbot: QtBot, state: JobState, enabled: str) -> None:
    buttons = JobButtons()
    qtbot.addWidget(buttons)
    buttons.show_state(state, can_start=True, can_regenerate=True)
    named = {
        "start": buttons.start_button,
        "pause": buttons.pause_button,
        "stop": buttons.stop_button,
        "regenerate": buttons.regenerate_button,
    }
    assert {name for name, button in named.items() if button.isEnabled()} == set(enabled.split())


def test_the_first_stop_waits_for_the_image_and_the_second_does_not(qtbot: QtBot) -> None:
    buttons = JobButtons()
    qtbot.addWidget(buttons)
    buttons.show_state(JobState.RUNNING, can_start=True, can_regenerate=True)
    with qtbot.waitSignal(buttons.stop_after_image):
        buttons.stop_button.click()
    buttons.show_state(JobState.STOPPING_AFTER_IMAGE, can_start=True, can_regenerate=True)
    with qtbot.waitSignal(buttons.stop_now):
        buttons.stop_button.click()


def test_preview_keeps_the_proportions(qtbot: QtBot) -> None:
    preview = PreviewLabel()
    qtbot.addWidget(preview)
    preview.resize(400, 300)
    preview.show()
    preview.show_picture(picture(200, 100))
    pixmap = preview.pixmap()
    assert pixmap.width() == pytest.approx(2 * pixmap.height(), abs=2)
    assert pixmap.width() <= 400
    preview.resize(200, 300)
    assert preview.pixmap().width() <= 200


def test_preview_opens_finished_images_only(qtbot: QtBot, tmp_path: Path) -> None:
    preview = PreviewLabel()
    qtbot.addWidget(preview)
    preview.resize(300, 300)
    opened: list[Path] = []
    preview.clicked.connect(opened.append)
    preview.show_picture(picture(64, 64))
    qtbot.mouseClick(preview, Qt.LeftButton)
    preview.show_picture(picture(64, 64), tmp_path / "image.png")
    qtbot.mouseClick(preview, Qt.RightButton)
    qtbot.mouseClick(preview, Qt.LeftButton)
    assert opened == [tmp_path / "image.png"]


def test_preview_blends_and_compares_an_overlay(qtbot: QtBot) -> None:
    preview = PreviewLabel()
    qtbot.addWidget(preview)
    preview.resize(200, 200)
    preview.show_picture(picture(100, 100, "black"))
    preview.show_overlay(picture(100, 100, "white"))
    preview.set_opacity(50)
    middle = preview.pixmap().toImage().pixelColor(20, 20).red()
    assert 120 < middle < 135
    preview.compare(True)
    preview.set_opacity(100)
    qtbot.mouseMove(preview, QPoint(100, 100))
    shown = preview.pixmap().toImage()
    assert shown.pixelColor(10, 50).red() == 0
    assert shown.pixelColor(shown.width() - 10, 50).red() == 255
    preview.clear_picture()
    assert preview.shown is None


def test_log_colours_filters_and_copies(qtbot: QtBot) -> None:
    log = LogPanel()
    qtbot.addWidget(log)
    for level, text in (("info", "MEL saved"), ("warning", "table is open"), ("error", "disk is full")):
        log.add(level, text)
    log.flush()
    assert [line.split("  ", 1)[1] for line in log.console.toPlainText().splitlines()] == [
        "MEL saved",
        "WARNING: table is open",
        "ERROR: disk is full",
    ]
    block = log.console.document().lastBlock()
    assert block.begin().fragment().charFormat().foreground().color() == log_color("error")
    log.level.setCurrentIndex(1)
    assert "MEL" not in log.console.toPlainText()
    log.search.setText("DISK")
    log.copy()
    assert QApplication.clipboard().text().endswith("ERROR: disk is full")
    log.search.clear()
    log.level.setCurrentIndex(0)
    assert log.console.blockCount() == 3
    log.clear()
    assert log.console.toPlainText() == ""


def test_log_keeps_up_with_a_flood(qtbot: QtBot) -> None:
    log = LogPanel()
    qtbot.addWidget(log)
    for number in range(20_000):
        log.add("info", str(number))
    log.flush()
    assert log.console.blockCount() <= 5000
    assert log.console.toPlainText().endswith("19999")


def test_top_bar_keeps_a_device_until_it_is_known_to_be_missing(qtbot: QtBot) -> None:
    class Device:
        def __init__(self, name: str, label: str) -> None:
            self.name, self.label = name, label

    top = TopBar()
    qtbot.addWidget(top)
    top.choose_device("cuda:0")
    assert top.device_name == "cuda:0"
    processor, gpu = Device("cpu", "CPU"), Device("cuda:0", "CUDA:0 (GPU)")
    top.show_devices(EngineFacts((processor, gpu), "cuda:0", {}, "2"))
    assert (top.device_name, top.device.currentText()) == ("cuda:0", "CUDA:0 (GPU)")
    assert top.device.itemText(0) == "Auto: CUDA:0 (GPU)"
    top.show_devices(EngineFacts((processor,), "cpu", {}, "2"))
    assert top.device_name == "auto"


def test_status_shows_memory_and_models(qtbot: QtBot, tmp_path: Path) -> None:
    status = StatusLabels()
    qtbot.addWidget(status)
    assert status.memory.text().startswith("Memory ")
    status.show_models(tmp_path, "7 of 7 models", "No colour statistics")
    assert str(tmp_path) in status.model_path.toolTip()


def test_progress_shows_no_time_while_it_is_unknown(qtbot: QtBot, tmp_path: Path) -> None:
    panel = ProgressPanel()
    qtbot.addWidget(panel)
    panel.show_preparing()
    assert panel.bar.maximum() == 0  # moves, and promises nothing
    progress = JobProgress(job(tmp_path))
    panel.show_progress(progress)
    assert (panel.left.text(), panel.count.text()) == ("", "0 of 3 images")
    progress.note(ClassStarted("MEL", 2, "unet_MEL_best.pth", "", 2), 0.0)
    progress.note(StepReport("MEL", (1, 2), 5, 10, None), 40.0)
    panel.show_progress(progress)
    assert panel.left.text() == "about 1 min left"
    assert panel.bar.value() == pytest.approx(panel.bar.maximum() / 3, abs=1)
    panel.show_ended()
    assert panel.left.text() == ""


def test_a_wheel_that_passes_over_is_left_to_the_parent(qtbot: QtBot) -> None:
    spin = spin_box("spin", "A number.", 0, 10, 5)
    qtbot.addWidget(spin)
    spin.show()
    spin.clearFocus()
    assert not turn_wheel(spin, -120).isAccepted()
    assert spin.value() == 5


def turn_wheel(widget: QWidget, angle: int) -> QWheelEvent:
    """Turn the mouse wheel over a widget; 120 is one notch upwards. Returns the event."""
    where, turned = QPointF(5, 5), QPoint(0, angle)
    event = QWheelEvent(where, where, QPoint(), turned, Qt.NoButton, Qt.NoModifier, Qt.NoScrollPhase, False)
    QApplication.sendEvent(widget, event)
    return event


def test_status_shows_the_gpu_memory_reserved_by_torch(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        memory_reserved=lambda _: 1_500_000_000,
        get_device_properties=lambda _: SimpleNamespace(total_memory=8_000_000_000),
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    status = StatusLabels()
    qtbot.addWidget(status)
    status.show_device("cuda:0", "CUDA:0 (GPU)")
    assert status.memory.text() == "GPU memory 1.5 GB of 8.0 GB"
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())  # half loaded
    status.measure_memory()
    assert status.memory.text().startswith("Memory ")
