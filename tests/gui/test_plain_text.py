"""Whatever a file says is shown as text: no label and no tool tip of the window takes it for HTML."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QImage
from PyQt5.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from core.classes import CLASSES
from gui.explanation_results import Explained
from gui.main_window import MainWindow
from gui.output_listing import list_output
from gui.pictures import read_picture
from gui.tasks.browsing import ImageFacts
from gui.widgets.controls import label, plain_tool_tip
from gui.widgets.image_details import ImageDetails
from gui.widgets.log_panel import LogPanel
from gui.widgets.notice_bar import NoticeBar
from gui.widgets.status_labels import StatusLabels
from tests.core.examples import parameters


@pytest.fixture
def html(tmp_path: Path) -> str:
    """HTML that shows a red picture of this disk."""
    Image.new("RGB", (200, 200), "red").save(tmp_path / "secret.png")
    return f'<img src="{tmp_path / "secret.png"}">'


def shows_red(widget: QLabel) -> bool:
    shown = widget.grab().toImage()
    points = ((x, y) for x in range(0, shown.width(), 4) for y in range(0, shown.height(), 4))
    return sum((c := shown.pixelColor(x, y)).red() > 200 and c.green() < 60 for x, y in points) > 100


def test_a_label_that_takes_html_would_show_the_picture(qtbot: QtBot, html: str) -> None:
    made = QLabel(html)
    qtbot.addWidget(made)
    made.resize(300, 300)
    assert shows_red(made)  # else the next test could not fail


def test_no_label_of_an_image_shows_html(qtbot: QtBot, html: str, tmp_path: Path) -> None:
    details = ImageDetails()
    qtbot.addWidget(details)
    details.resize(500, 600)
    hostile = replace(parameters(), checkpoint=html, device=html, generated_at=html, sampler=html)
    explained = Explained(dict.fromkeys(CLASSES, 0.1), html, True, tmp_path, None)
    picture = QImage(8, 8, QImage.Format_RGB32)
    details.show_facts(ImageFacts(tmp_path / html.replace("/", "_"), picture, hostile, html, explained))
    details.show()
    for shown in details.findChildren(QLabel):
        shown.resize(300, 300)
        assert not shows_red(shown), shown.objectName()
    assert html in details.problem.text()


def test_every_label_of_the_window_is_plain_text(open_window: Callable[..., MainWindow]) -> None:
    window = open_window()
    labels = [shown for shown in window.findChildren(QLabel) if shown.objectName() != "qt_spinbox_lineedit"]
    assert len(labels) > 30
    assert {shown.objectName() or shown.text() for shown in labels if shown.textFormat() != Qt.PlainText} == set()


def test_tool_tips_and_lines_of_the_log_are_plain_too(qtbot: QtBot, html: str) -> None:
    assert plain_tool_tip("/a & b/c") == "/a & b/c"
    assert plain_tool_tip(html).startswith("<qt>&lt;img src=")
    bar, status, log = NoticeBar("n", "mdi6.close"), StatusLabels(), LogPanel()
    for widget in (bar, status, log):
        qtbot.addWidget(widget)
    bar.show_text(html)
    status.show_models(Path(html), "", "")
    for tip in (bar.text.toolTip(), status.model_path.toolTip()):
        assert "<img" not in tip
    log.add("info", f"{html} \x1b[2J\u202e")
    log.flush()
    assert f"{html} \\x1b[2J\\u202e" in log.console.toPlainText()
    assert label(html).textFormat() == Qt.PlainText


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs in folders")
@pytest.mark.timeout(30)
def test_a_fifo_and_a_folder_named_like_images_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "MEL" / "ISIC_0000001.png").mkdir(parents=True)
    os.mkfifo(tmp_path / "MEL" / "ISIC_0000002.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "MEL" / "ISIC_0000003.png")
    assert list_output(tmp_path, tmp_path / "x").images == {"MEL": ["ISIC_0000003.png"]}
    assert read_picture(tmp_path / "MEL" / "ISIC_0000002.png").isNull()
