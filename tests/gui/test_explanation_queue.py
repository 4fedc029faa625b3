from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5.QtCore import QObject, QTimer
from PyQt5.QtGui import QImage
from pytestqt.qtbot import QtBot

from core.process.protocol import MOST_TEXTS
from gui.explanation_queue import ExplanationEnded, ExplanationQueue
from gui.explanations import Explanations
from gui.tasks.headless_process import HeadlessProcess
from gui.widgets.explanation_panel import ExplanationPanel
from tests.gui.conftest import WAIT_MS
from xai.job import ANALYSIS, OVERLAY, ExplanationJob

STAND_IN = """
import json, os, signal, sys, time
job = json.load(open(sys.argv[2], encoding="utf-8"))
assert os.environ["MPLBACKEND"] == "Agg" and os.environ["XAI_SAVE_EVERY_N"] == str(job["every"])
def send(**line):
    print(json.dumps(line), flush=True)
send(event="progress", done=1, total=4)
how = sys.argv[1]
if how == "crash":
    sys.exit("boom")
if how == "hang":
    time.sleep(60)
if how == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
if how == "killed":
    os.kill(os.getpid(), 9)
if how == "refuse":
    send(event="error", text="There is no classifier.")
    sys.exit(2)
if how == "flood":
    sys.stderr.write("e" * 1_000_000)
    print("x" * 3_000_000)
    for number in range(20_000):
        print("a line without meaning")
        print('{"event": "progress", "done": %d, "total": 20000}' % number)
print("an ordinary line: ü", flush=True)
send(event="overlay", path=job["image"])
send(event="warning", text="the classifier is unsure")
send(event="notice", text="the head is untrained")
send(event="progress", done=4, total=4)
send(event="finished", main="report.html", kind=job["kind"])
""".replace('sys.exit("boom")', 'print("boom", file=sys.stderr); sys.exit(3)')


@pytest.fixture
def make_queue(qtbot: QtBot, tmp_path: Path) -> Callable[..., ExplanationQueue]:
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    owner = QObject()

    def make(how: str, limit_s: float = 60.0) -> ExplanationQueue:
        command = (sys.executable, str(program), how)
        queue = ExplanationQueue(owner, lambda parent: HeadlessProcess(parent, command, limit_s))
        queue.lines = []
        queue.logged.connect(lambda level, text: queue.lines.append((level, text)))
        return queue

    make.owner = owner
    return make


def a_job(tmp_path: Path, number: int = 1, kind: str = OVERLAY) -> ExplanationJob:
    image = tmp_path / "MEL" / f"ISIC_{number:07d}.png"
    image.parent.mkdir(exist_ok=True)
    picture = QImage(8, 8, QImage.Format_RGB888)
    picture.fill(0)
    picture.save(str(image))
    return ExplanationJob(kind, image, tmp_path, tmp_path / "xai_results", 5, device="cpu")


def test_jobs_run_one_after_the_other(
    qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path
) -> None:
    queue = make_queue("well")
    overlays: list[Path] = []
    queue.overlay.connect(lambda _image, path: overlays.append(path))
    ended: list[ExplanationEnded] = []
    queue.ended.connect(ended.append)
    for number in (1, 2):
        queue.add(a_job(tmp_path, number))
    assert queue.busy
    assert queue.waiting == 1
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        pass
    assert [path.name for path in overlays] == ["ISIC_0000001.png", "ISIC_0000002.png"]
    assert ("warning", "the classifier is unsure") in queue.lines
    assert ("info", "an ordinary line: ü") in queue.lines
    assert ("info", "MEL/ISIC_0000002.png was explained.") in queue.lines
    assert queue.lines.count(("warning", "the head is untrained")) == 1  # every image would repeat it
    assert [(end.ending.well, end.job.image.name, end.message["main"]) for end in ended] == [
        (True, "ISIC_0000001.png", "report.html"),
        (True, "ISIC_0000002.png", "report.html"),
    ]
    assert all(end.seconds > 0 for end in ended)


def test_a_crash_is_a_message(qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path) -> None:
    queue = make_queue("crash")
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.add(a_job(tmp_path))
    text = "MEL/ISIC_0000001.png was not explained: its process ended with code 3: boom."
    assert ("error", text) in queue.lines


def test_a_missing_program_is_a_message(qtbot: QtBot, tmp_path: Path) -> None:
    owner = QObject()
    queue = ExplanationQueue(owner, lambda parent: HeadlessProcess(parent, (str(tmp_path / "no_python"),)))
    lines: list[str] = []
    queue.logged.connect(lambda _level, text: lines.append(text))
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.add(a_job(tmp_path))
    assert "cannot be started" in lines[0]


def test_the_time_limit_ends_a_job(qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path) -> None:
    queue = make_queue("hang", limit_s=0.6)
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.add(a_job(tmp_path))
    assert queue.lines[-1][1].endswith("was not explained: it took longer than 1 s and was stopped.")


def test_a_process_that_ignores_signals_is_killed(
    qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gui.tasks.headless_process.GRACE_S", 0.3)
    queue = make_queue("deaf", limit_s=0.6)
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.add(a_job(tmp_path))
    assert "took longer than" in queue.lines[-1][1]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_killed_process_is_a_message(
    qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path
) -> None:
    queue = make_queue("killed")
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.add(a_job(tmp_path))
    assert queue.lines[-1] == (
        "error",
        "MEL/ISIC_0000001.png was not explained: its process crashed or was killed.",
    )


def test_a_flood_of_messages_does_not_block_the_window(
    qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path
) -> None:
    """Bounded lines, and the event loop goes round: the core's bounds hold here, too."""
    queue, rounds = make_queue("flood"), []
    timer = QTimer()
    timer.timeout.connect(lambda: rounds.append(1))
    timer.start(5)
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.add(a_job(tmp_path))
    timer.stop()
    assert len(queue.lines) <= MOST_TEXTS + 3
    assert ("info", "MEL/ISIC_0000001.png was explained.") in queue.lines
    assert len(rounds) > 5


def test_the_order_of_waiting_jobs(qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path) -> None:
    queue = make_queue("hang")
    first, second, third, urgent = (a_job(tmp_path, number) for number in (1, 2, 3, 4))
    for job in (first, second, third):
        queue.add(job)
    queue.add(urgent, first=True)
    queue.remove(second)
    queue.remove(first)  # it runs already
    assert queue.jobs == (first, urgent, third)
    assert queue.job_of(urgent.image) is urgent
    assert queue.job_of(second.image) is None
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.cancel()


@pytest.fixture
def both(make_queue: Callable[..., ExplanationQueue], tmp_path: Path) -> Explanations:
    """The queues of overlays, which take a moment, and of analyses."""
    command = (sys.executable, str(tmp_path / "stand_in.py"), "well")
    queues = Explanations(make_queue.owner, lambda parent: HeadlessProcess(parent, command))
    queues.lines = []
    queues.logged.connect(lambda level, text: queues.lines.append((level, text)))
    return queues


def test_an_overlay_does_not_wait_for_an_analysis(qtbot: QtBot, both: Explanations, tmp_path: Path) -> None:
    for number, kind in ((1, ANALYSIS), (2, ANALYSIS), (3, OVERLAY)):
        both.add(a_job(tmp_path, number, kind))
    assert (both.analyses.waiting, both.overlays.waiting) == (1, 0)
    assert both.analyses.busy
    assert both.overlays.busy
    with qtbot.waitSignal(both.idle, timeout=WAIT_MS):
        pass
    assert not both.busy
    assert both.jobs == ()
    assert both.lines.count(("warning", "the head is untrained")) == 1  # of both queues together


def test_an_analysis_waits_for_the_overlay_of_its_image(qtbot: QtBot, both: Explanations, tmp_path: Path) -> None:
    ended: list[tuple[str, str]] = []
    both.ended.connect(lambda end: ended.append((end.job.kind, end.job.image.stem[-1])))
    both.add(a_job(tmp_path, 1, OVERLAY))
    both.add(a_job(tmp_path, 1, ANALYSIS))
    assert not both.analyses.busy
    with qtbot.waitSignal(both.idle, timeout=WAIT_MS):
        pass
    assert ended == [(OVERLAY, "1"), (ANALYSIS, "1")]


def test_cancelling_stops_the_running_job_and_removes_the_others(
    qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path
) -> None:
    queue = make_queue("hang")
    queue.add(a_job(tmp_path, 1))
    queue.add(a_job(tmp_path, 2))
    qtbot.waitUntil(lambda: queue.fraction == 0.25, timeout=WAIT_MS)
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.cancel()
    assert queue.waiting == 0
    assert queue.lines == []


def test_an_ended_queue_ignores_jobs(qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path) -> None:
    """An image that is finished while the window closes would begin another process, and the window wait for it."""
    queue = make_queue("hang")
    queue.add(a_job(tmp_path, 1))
    qtbot.waitUntil(lambda: queue.fraction == 0.25, timeout=WAIT_MS)
    with qtbot.waitSignal(queue.idle, timeout=WAIT_MS):
        queue.end()
        queue.add(a_job(tmp_path, 2))
    assert not queue.busy
    queue.add(a_job(tmp_path, 3))
    assert not queue.busy


def test_the_panel_shows_the_queue_and_clears_it(
    qtbot: QtBot, make_queue: Callable[..., ExplanationQueue], tmp_path: Path
) -> None:
    queue, panel = make_queue("hang"), ExplanationPanel()
    qtbot.addWidget(panel)
    queue.changed.connect(lambda: panel.show_queue(queue.image, queue.waiting, queue.fraction))
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
