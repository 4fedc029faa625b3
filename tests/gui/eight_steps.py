"""Do the eight steps with the mouse on a real X display. This is a program; ``test_xvfb.py`` runs it.

    python -m tests.gui.eight_steps FOLDER

FOLDER holds ``checkpoints``. Moves the X server's pointer with xdotool and clicks: select models, select output,
device, XAI Mode and steps, classes and quantities, Start, Stop, Regenerate, browse, open. Writes ``screen.png`` and
``places.json`` into FOLDER.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QElapsedTimer, QPoint, QRect, QSettings, Qt, QTimer
from PyQt5.QtWidgets import (
    QApplication,
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QListView,
    QSpinBox,
    QStyle,
    QStyleOptionSpinBox,
    QWidget,
)

import gui.browsing_presenter
from gui.main_window import MainWindow
from gui.settings import Settings, save_settings

Steps = Generator[Callable[[], bool], None, None]
LONGEST_STEP_MS = 40_000


def click(widget: QWidget, place: QPoint | None = None) -> None:
    """Move the pointer there and press the left button."""
    where = widget.mapToGlobal(place or widget.rect().center())
    command = ["xdotool", "mousemove", "--sync", str(where.x()), str(where.y()), "click", "1"]
    subprocess.run(command, check=True, timeout=5)


def up_arrow(spin: QSpinBox) -> QPoint:
    """Return the position of the upper arrow of a spin box."""
    option = QStyleOptionSpinBox()
    spin.initStyleOption(option)
    return spin.style().subControlRect(QStyle.CC_SpinBox, option, QStyle.SC_SpinBoxUp, spin).center()


def accept_file_dialog() -> Steps:
    """Press the button that accepts the folder shown in the dialog."""

    def dialogs() -> list[QFileDialog]:
        return [top for top in QApplication.topLevelWidgets() if isinstance(top, QFileDialog) and top.isVisible()]

    yield lambda: bool(dialogs())
    yield pause()
    box = dialogs()[0].findChild(QDialogButtonBox)
    click(next(b for b in box.buttons() if box.buttonRole(b) == QDialogButtonBox.AcceptRole))
    yield lambda: not dialogs()


def pause(rounds: int = 10) -> Callable[[], bool]:
    """Let the window draw; return true after some rounds of the timer."""
    left = iter(range(rounds))
    return lambda: next(left, None) is None


def story(window: MainWindow, output: Path, opened: list[Path]) -> Steps:
    """Do the eight steps; yield the conditions to wait for."""
    parts = window.parts

    def images() -> int:
        return len(list(output.glob("*/*.png")))

    def by_name(name: str) -> Any:
        return window.findChild(QWidget, name)

    yield lambda: parts.status.status.text().startswith("Ready") and not window.keeper.busy
    click(by_name("selectModelsButton"))
    yield from accept_file_dialog()
    click(by_name("selectOutputButton"))
    yield from accept_file_dialog()
    assert window.settings.output == str(output)
    device: QComboBox = by_name("deviceCombo")
    click(device)
    yield device.view().isVisible
    yield pause(40)  # a release soon after the popup came still belongs to the click that opened it
    row = device.view().visualRect(device.model().index(1, 0))  # may be wider than its visible part
    click(device.view().viewport(), QPoint(30, row.center().y()))
    yield lambda: device.currentData() == "cpu"
    click(by_name("xaiModeButton"))
    yield by_name("xaiModeButton").isChecked
    click(by_name("xaiStepsSpin"), up_arrow(by_name("xaiStepsSpin")))
    yield lambda: by_name("xaiStepsSpin").value() == 6
    click(by_name("classCheck_NV"), QPoint(10, by_name("classCheck_NV").height() // 2))
    yield by_name("classCheck_NV").isChecked
    click(by_name("quantitySpin_NV"), up_arrow(by_name("quantitySpin_NV")))
    yield lambda: by_name("quantitySpin_NV").value() == 2
    click(by_name("startButton"))
    yield lambda: images() >= 1
    click(by_name("stopButton"), QPoint(20, by_name("stopButton").height() // 2))
    yield lambda: not window.controller.active and not window.keeper.busy
    stopped_at = images()
    assert 1 <= stopped_at < 3, stopped_at
    click(by_name("regenerateButton"))
    yield lambda: images() == stopped_at + 3 and not window.controller.active and not window.keeper.busy
    view: QListView = by_name("imageFileList")
    click(view.viewport(), view.visualRect(view.model().index(0, 0)).center())
    yield lambda: parts.centre.preview.file == output / "MEL" / "ISIC_0000001.png"
    yield lambda: not window.keeper.busy
    click(by_name("previewLabel"))
    yield lambda: opened == [output / "MEL" / "ISIC_0000001.png"]
    yield pause(40)


def places(window: MainWindow) -> dict[str, list[int]]:
    """Return the screen positions of the named widgets and of the first thumbnail."""

    def corners(widget: QWidget, rect: QRect) -> list[int]:
        corner = widget.mapToGlobal(rect.topLeft())
        return [corner.x(), corner.y(), rect.width(), rect.height()]

    view = window.parts.browser.images
    found = {
        widget.objectName(): corners(widget, widget.rect())
        for widget in window.findChildren(QWidget)
        if widget.objectName() and widget.isVisible()
    }
    found["firstImage"] = corners(view.viewport(), view.visualRect(view.model().index(0, 0)))
    return {**found, "window": corners(window, window.rect())}


def main(folder: Path) -> int:
    """Run all steps; return 0 on success."""
    application = QApplication(["isicgui"])
    opened: list[Path] = []
    gui.browsing_presenter.open_path = lambda path: opened.append(path) or True
    QApplication.setAttribute(Qt.AA_DontUseNativeDialogs)
    output = folder / "dataset"
    output.mkdir(parents=True)
    store = QSettings(str(folder / "settings.ini"), QSettings.IniFormat)
    quantities = dict.fromkeys(Settings().quantities, 1)
    settings = replace(
        Settings(),
        checkpoints=str(folder / "checkpoints"),
        output=str(output),
        quantities=quantities,
        steps=8,
        batch_size=1,
        theme="light",
    )
    save_settings(store, settings)
    window = MainWindow(store, folder / "xai_results")
    window.show()
    return run(application, window, story(window, output, opened), folder)


def run(application: QApplication, window: MainWindow, steps: Steps, folder: Path) -> int:
    """Run the steps while the event loop runs; stop the program if a step takes too long."""
    waiting = [next(steps)]
    clock = QElapsedTimer()
    clock.start()

    def go_on() -> None:
        try:
            if waiting[0]():
                waiting[0] = next(steps)
                clock.restart()
            elif clock.elapsed() > LONGEST_STEP_MS:
                line = traceback.extract_stack(steps.gi_frame, limit=1)[0]
                raise TimeoutError(f"waited too long in line {line.lineno}: {line.line}")
        except StopIteration:
            timer.stop()
            application.primaryScreen().grabWindow(0).save(str(folder / "screen.png"))
            (folder / "places.json").write_text(json.dumps(places(window)))
            window.explanations.cancel()  # otherwise closing would ask about a running explanation
            if window.explanations.busy:
                window.explanations.idle.connect(window.close)
            else:
                window.close()
        except (TimeoutError, AssertionError, IndexError, subprocess.SubprocessError):
            traceback.print_exc()
            application.primaryScreen().grabWindow(0).save(str(folder / "failed.png"))
            os._exit(1)  # an open dialog may keep its own event loop running

    timer = QTimer()
    timer.timeout.connect(go_on)
    timer.start(20)
    return int(application.exec_())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
