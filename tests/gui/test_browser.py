from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt5.QtCore import QObject, Qt
from PyQt5.QtGui import QColor, QIcon, QImage
from pytestqt.qtbot import QtBot

from gui.output_listing import OutputListing, list_output
from gui.tasks.browsing import Thumbnails
from gui.tasks.task import TaskKeeper
from gui.widgets.browser import Browser
from tests.gui.conftest import WAIT_MS

MANY = 10_000


@pytest.fixture
def browser(qtbot: QtBot) -> Iterator[Browser]:
    owner = QObject()
    keeper = TaskKeeper(owner)
    made = Browser(Thumbnails(keeper, 72, owner))
    qtbot.addWidget(made)
    made.resize(420, 500)
    made.show()
    yield made
    keeper.request_stop()
    qtbot.waitUntil(lambda: not keeper.busy, timeout=WAIT_MS)


def write_images(folder: Path, number: int) -> list[str]:
    folder.mkdir(parents=True)
    picture = QImage(16, 16, QImage.Format_RGB888)
    picture.fill(QColor("red"))
    picture.save(str(folder / "ISIC_0000001.png"))
    content = (folder / "ISIC_0000001.png").read_bytes()
    names = [f"ISIC_{index:07d}.png" for index in range(1, number + 1)]
    for name in names:
        (folder / name).write_bytes(content)
    return names


def test_lists_only_images_of_class_folders(tmp_path: Path) -> None:
    write_images(tmp_path / "MEL", 2)
    (tmp_path / "MEL" / "ISIC_0000003.png.12.part").touch()
    (tmp_path / "other").mkdir()
    listing = list_output(tmp_path, tmp_path / "xai_results")
    assert listing.images == {"MEL": ["ISIC_0000001.png", "ISIC_0000002.png"]}
    assert listing.results == ()
    assert listing.free is not None
    assert list_output(tmp_path / "missing", tmp_path).images == {}


def test_ten_thousand_images_show_at_once_and_only_visible_ones_get_thumbnails(
    qtbot: QtBot, browser: Browser, tmp_path: Path
) -> None:
    names = [f"ISIC_{index:07d}.png" for index in range(1, MANY + 1)]
    made: list[str] = []
    browser.model._thumbnails.made.connect(lambda path, _: made.append(path))
    write_images(tmp_path / "MEL", 60)
    started = time.perf_counter()
    browser.show_listing(OutputListing(tmp_path, {"MEL": names}), tmp_path)
    qtbot.wait(1)
    assert time.perf_counter() - started < 1.0
    assert browser.model.rowCount() == MANY
    qtbot.waitUntil(lambda: len(made) >= 4, timeout=WAIT_MS)
    qtbot.wait(50)
    assert len(made) < 200
    icon = browser.model.index(0).data(Qt.DecorationRole)
    assert icon.pixmap(72, 72).toImage().pixelColor(30, 30) == QColor("red")
    assert icon.pixmap(72, 72, QIcon.Selected).toImage().pixelColor(30, 30) == QColor("red")  # chosen, not tinted


def test_new_images_keep_the_scroll_position(qtbot: QtBot, browser: Browser, tmp_path: Path) -> None:
    names = write_images(tmp_path / "MEL", 3)
    browser.show_listing(OutputListing(tmp_path, {"MEL": names[:2]}), tmp_path)
    browser.images.setCurrentIndex(browser.model.index(1))
    browser.add_image(tmp_path / "MEL" / names[2])
    assert browser.folders.item(0).text() == "MEL (3)"
    assert browser.images.currentIndex().row() == 1
    browser.show_listing(OutputListing(tmp_path, {"MEL": names}), tmp_path)
    assert browser.images.currentIndex().row() == 1
    assert browser.model.rowCount() == 3
    with qtbot.waitSignal(browser.refresh):
        browser.add_image(tmp_path / "NV" / names[0])


def test_the_tree_and_the_folders_choose_a_class(qtbot: QtBot, browser: Browser, tmp_path: Path) -> None:
    images = {"MEL": ["ISIC_0000001.png"], "NV": ["ISIC_0000001.png", "ISIC_0000002.png"]}
    browser.show_listing(OutputListing(tmp_path, images), tmp_path)
    branch = browser.tree.topLevelItem(0)
    assert [branch.child(row).text(0) for row in range(2)] == ["MEL (1)", "NV (2)"]
    browser.tree.itemClicked.emit(branch.child(1), 0)
    assert browser.model.rowCount() == 2
    browser.folders.setCurrentRow(0)
    assert browser.model.rowCount() == 1


def test_the_context_menu_offers_all_actions(browser: Browser, tmp_path: Path) -> None:
    menu = browser.menu_for(tmp_path / "ISIC_0000001.png")
    names = [action.objectName() for action in menu.actions()]
    wanted = ("open", "reproduce", "explain", "analyse", "report", "use_settings", "show_file")
    assert names == [f"{name}Action" for name in wanted]
    menu.close()


def test_keyboard_and_mouse_choose_an_image(qtbot: QtBot, browser: Browser, tmp_path: Path) -> None:
    names = write_images(tmp_path / "MEL", 2)
    browser.show_listing(OutputListing(tmp_path, {"MEL": names}), tmp_path)
    chosen: list[Path] = []
    browser.chosen.connect(chosen.append)
    browser.images.setCurrentIndex(browser.model.index(0))
    qtbot.keyClick(browser.images, Qt.Key_Right)
    assert [path.name for path in chosen][-1] == names[1]
