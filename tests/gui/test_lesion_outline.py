"""The outline of the lesion mask over the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PyQt5.QtGui import QImage
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from core.output.lesion_mask import mask_file, masks_folder, write_mask
from gui.lesion_outline import read_outline
from gui.widgets.preview_panel import PreviewPanel


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A grey image in an output folder, whose mask is a square in its centre."""
    file = tmp_path / "set" / "MEL" / "ISIC_0000001.png"
    file.parent.mkdir(parents=True)
    Image.new("RGB", (64, 64), (128, 128, 128)).save(file)
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    write_mask(mask_file(masks_folder(tmp_path / "set"), "MEL", 1), mask)
    return file


def test_the_outline_follows_the_mask(qapp: QApplication, image: Path) -> None:
    outline = read_outline(mask_file(masks_folder(image.parent.parent), "MEL", 1))
    assert outline is not None
    box = outline.boundingRect()
    assert (box.left(), box.top(), box.right(), box.bottom()) == (0.25, 0.25, 0.75, 0.75)


def test_a_missing_damaged_or_empty_mask_has_no_outline(qapp: QApplication, tmp_path: Path) -> None:
    assert read_outline(tmp_path / "missing.png") is None
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG")
    assert read_outline(tmp_path / "damaged.png") is None
    write_mask(tmp_path / "empty.png", np.zeros((8, 8), bool))
    assert read_outline(tmp_path / "empty.png") is None


def test_the_outline_can_be_switched_on_and_off(qtbot: QtBot, image: Path) -> None:
    panel = PreviewPanel()
    qtbot.addWidget(panel)
    panel.resize(500, 500)
    panel.preview.show_picture(QImage(str(image)), image)
    assert panel.preview.outline is None
    plain = panel.preview.pixmap().toImage()
    panel.outline.setChecked(True)
    assert panel.preview.outline is not None
    drawn = panel.preview.pixmap().toImage()
    quarter = drawn.width() // 4
    assert drawn != plain
    assert drawn.pixelColor(quarter, drawn.height() // 2).lightness() > 170  # an antialiased white line on grey 128
    assert drawn.pixelColor(drawn.width() // 2, drawn.height() // 2).lightness() == 128
    panel.outline.setChecked(False)
    assert panel.preview.pixmap().toImage() == plain


def test_an_image_without_a_mask_shows_no_outline(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "set" / "NV" / "ISIC_0000001.png"
    file.parent.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(file)
    panel = PreviewPanel()
    qtbot.addWidget(panel)
    panel.outline.setChecked(True)
    panel.preview.show_picture(QImage(str(file)), file)
    assert panel.preview.outline is None
