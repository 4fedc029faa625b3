from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5.QtCore import QObject
from PyQt5.QtGui import QImage
from pytestqt.qtbot import QtBot

from gui.explanation_job import ExplanationJob, explanations_wanted, wants_explanation
from gui.explanations import Explanations
from gui.tasks.explanation_process import ExplanationProcess
from gui.widgets.explanation_panel import ExplanationPanel
from tests.gui.conftest import WAIT_MS

STAND_IN = """
import json, os, sys, time
job = json.load(open(sys.argv[2], encoding="utf-8"))
assert os.environ["MPLBACKEND"] == "Agg" and os.environ["XAI_SAVE_EVERY_N"] == str(job["stride"])
def tell(**line):
    print(json.dumps(line), flush=True)
tell(event="progress", done=1, total=4)
how = sys.argv[1]
if how == "crash":
    sys.exit("boom")
if how == "hang":
    time.sleep(60)
print("an ordinary line: ü", flush=True)
tell(event="overlay", path=job["image"])
tell(event="warning", text="the classifier is unsure")
tell(event="progress", done=4, total=4)
""".replace('sys.exit("boom")', 'print("boom", file=sys.stderr); sys.exit(3)')


@pytest.fixture
def make_queue(qtbot: QtBot, tmp_path: Path) -> Callable[..., Explanations]:
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    owner = QObject()

    def make(how: str, limit_s: float = 60.0) -> Explanations:
        command = (sys.executable, str(program), how)
        queue = Explanations(owner, lambda parent: ExplanationProcess(parent, command, limit_s))
        queue.lines = []
        queue.logged.connect(lambda level, text: queue.lines.append((level, text)))
        return queue

    make.owner = owner
    return make


def a_job(tmp_path: Path, number: int = 1) -> ExplanationJob:
    image = tmp_path / "MEL" / f"ISIC_{number:07d}.png"
    image.parent.mkdir(exist_ok=True)
    picture = QImage(8, 8, QImage.Format_RGB888)
    picture.fill(0)
    picture.save(str(image))
    return ExplanationJob(image, tmp_path, tmp_path / "xai_results", 50, "cpu")


def test_jobs_run_one_after_the_other(qtbot: QtBot, make_queue: Callable[..., Explanations], tmp_path: Path) -> None:
    queue = make_queue("well")
    overlays: list[Path] = []
    queue.overlay.connect(lambda _image, path: overlays.append(path))
    seconds: list[float | None] = []
    queue.explained.connect(seconds.append)
    for number in (1, 2):
        queue.add(a_job(tmp_path, number))
    assert queue.busy
    assert queue.waiting == 1
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        pass
    assert [path.name for path in overlays] == ["ISIC_0000001.png", "ISIC_0000002.png"]
    assert ("warning", "the classifier is unsure") in queue.lines
    assert ("info", "an ordinary line: ü") in queue.lines
    assert ("info", "MEL/ISIC_0000002.png is explained.") in queue.lines
    assert None not in seconds


def test_a_crash_is_a_message(qtbot: QtBot, make_queue: Callable[..., Explanations], tmp_path: Path) -> None:
    queue = make_queue("crash")
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.add(a_job(tmp_path))
    text = "MEL/ISIC_0000001.png was not explained: the explanation's process ended with code 3: boom."
    assert ("error", text) in queue.lines


def test_a_program_that_is_not_there_is_a_message(qtbot: QtBot, tmp_path: Path) -> None:
    owner = QObject()
    queue = Explanations(owner, lambda parent: ExplanationProcess(parent, (str(tmp_path / "no_python"),)))
    lines: list[str] = []
    queue.logged.connect(lambda _level, text: lines.append(text))
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.add(a_job(tmp_path))
    assert "cannot be started" in lines[0]


def test_the_time_limit_ends_a_job(qtbot: QtBot, make_queue: Callable[..., Explanations], tmp_path: Path) -> None:
    queue = make_queue("hang", limit_s=0.6)
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.add(a_job(tmp_path))
    assert "took longer than" in queue.lines[-1][1]


def test_cancelling_ends_the_running_job_and_forgets_the_others(
    qtbot: QtBot, make_queue: Callable[..., Explanations], tmp_path: Path
) -> None:
    queue = make_queue("hang")
    queue.add(a_job(tmp_path, 1))
    queue.add(a_job(tmp_path, 2))
    qtbot.waitUntil(lambda: queue.fraction == 0.25, timeout=WAIT_MS)
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.cancel()
    assert queue.waiting == 0
    assert queue.lines == []


def test_the_panel_shows_the_queue_and_clears_it(
    qtbot: QtBot, make_queue: Callable[..., Explanations], tmp_path: Path
) -> None:
    queue, panel = make_queue("hang"), ExplanationPanel()
    qtbot.addWidget(panel)
    queue.changed.connect(lambda: panel.show_queue(queue))
    panel.clear.connect(queue.clear)
    for number in (1, 2, 3):
        queue.add(a_job(tmp_path, number))
    assert panel.text.text() == "Explaining MEL/ISIC_0000001.png, 2 waiting"
    panel.clear_button.click()
    assert panel.text.text() == "Explaining MEL/ISIC_0000001.png"
    qtbot.waitUntil(lambda: panel.bar.value() == 25, timeout=WAIT_MS)
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.cancel()
    assert panel.isHidden()


@pytest.mark.parametrize(
    ("count", "cadence", "positions"), [(9, 10, [1]), (10, 10, [10]), (25, 10, [10, 20]), (3, 1, [1, 2, 3])]
)
def test_which_images_are_explained(count: int, cadence: int, positions: list[int]) -> None:
    wanted = [position for position in range(1, count + 1) if wants_explanation(position, count, cadence)]
    assert wanted == positions
    assert explanations_wanted(count, cadence) == len(positions)
