from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from evaluation.job import EvaluationJob, load_job
from gui.evaluation_job import EvaluationRequest, report_folder
from gui.evaluations import Evaluations
from gui.main_window import MainWindow
from gui.settings import load_settings
from gui.tasks.headless_process import HeadlessProcess
from tests.gui.conftest import WAIT_MS, log_of

STAND_IN = """
import json, sys, time
job = json.load(open(sys.argv[2], encoding="utf-8"))
def send(**line):
    print(json.dumps(line), flush=True)
send(event="progress", done=1, total=4, doing="Copies")
send(event="warning", text="the set is small")
if sys.argv[1] == "hang":
    time.sleep(60)
if sys.argv[1] == "refuse":
    send(event="error", text="There is no folder of real images.")
    sys.exit(2)
if sys.argv[1] == "crash":
    print("boom", file=sys.stderr)
    sys.exit(3)
send(event="finished", main=job["output"] + "/report.html", files=[], summary=["No copies were found."])
"""


@pytest.fixture
def evaluating(
    open_window: Callable[..., MainWindow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], MainWindow]:
    """A window whose evaluations run a stand-in with the given behaviour."""
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)

    def open_one(how: str) -> MainWindow:
        command = (sys.executable, str(program), how)
        monkeypatch.setattr(
            "gui.main_window.Evaluations",
            lambda window: Evaluations(window, lambda owner: HeadlessProcess(owner, command)),
        )
        return open_window(real_images=str(tmp_path / "real"))

    return open_one


def start(qtbot: QtBot, window: MainWindow) -> Any:
    dialog = window.evaluations.dialog
    if not dialog.isVisible():
        window.evaluate_set()
    qtbot.mouseClick(dialog.start_button, Qt.LeftButton)
    assert window.evaluations.busy
    return dialog


def wait(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not window.evaluations.busy, timeout=WAIT_MS)


@pytest.mark.parametrize("usefulness", [False, True])
def test_the_job_is_valid_for_the_evaluation(tmp_path: Path, usefulness: bool) -> None:
    request = EvaluationRequest(tmp_path / "ü", tmp_path / "real", tmp_path / "r", False, usefulness, tmp_path, "cpu")
    file = tmp_path / "job.json"
    file.write_bytes(request.encoded())
    job = load_job(file)
    assert isinstance(job, EvaluationJob)
    taken = asdict(job)
    assert {name: taken[name] for name in ("images", "real", "output", "quick", "checkpoints", "device")} == {
        name: value for name, value in asdict(request).items() if name != "usefulness"
    }
    assert bool(job.utility) is usefulness


def test_the_report_is_next_to_the_set(tmp_path: Path) -> None:
    assert report_folder(tmp_path / "output") == tmp_path / "output_evaluation"


def test_from_the_button_to_the_report(
    qtbot: QtBot, evaluating: Callable[[str], MainWindow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    monkeypatch.setattr("gui.browsing_presenter.open_path", lambda path: opened.append(path) or True)
    window = evaluating("well")
    window.findChild(object, "evaluateButton").click()
    dialog = window.evaluations.dialog
    assert (dialog.images.folder, dialog.real.folder) == (Path(window.settings.output), tmp_path / "real")
    assert dialog.isVisible()
    dialog.real.show_folder("")
    assert not dialog.start_button.isEnabled()
    dialog.real.show_folder(tmp_path / "other")
    assert not dialog.report_button.isEnabled()
    start(qtbot, window)
    assert not dialog.start_button.isEnabled()
    wait(qtbot, window)
    assert dialog.findings.toPlainText() == "No copies were found."
    assert "No copies were found." in log_of(window)
    assert "WARNING: the set is small" in log_of(window)
    qtbot.mouseClick(dialog.report_button, Qt.LeftButton)
    assert opened == [Path(f"{window.settings.output}_evaluation") / "report.html"]
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=WAIT_MS)
    assert load_settings(window._store).real_images == str(tmp_path / "other")  # suggested next time


@pytest.mark.parametrize(
    ("how", "reason"),
    [("refuse", "There is no folder of real images."), ("crash", "its process ended with code 3: boom.")],
)
def test_an_error_is_shown_in_the_dialog(
    qtbot: QtBot, evaluating: Callable[[str], MainWindow], how: str, reason: str, errors: list[str]
) -> None:
    window = evaluating(how)
    dialog = start(qtbot, window)
    wait(qtbot, window)
    assert dialog.status.text() == f"The set was not evaluated: {reason}"
    assert f"ERROR: {dialog.status.text()}" in log_of(window)
    assert errors == []
    assert dialog.start_button.isEnabled()
    assert not dialog.report_button.isEnabled()


def test_progress_continues_while_the_dialog_is_closed_and_stop_ends_it(
    qtbot: QtBot, evaluating: Callable[[str], MainWindow]
) -> None:
    window = evaluating("hang")
    dialog = start(qtbot, window)
    qtbot.waitUntil(lambda: dialog.status.text() == "Copies…", timeout=WAIT_MS)
    assert dialog.bar.value() == 250
    dialog.reject()
    assert window.evaluations.busy
    window.evaluate_set()
    assert dialog.isVisible()
    assert dialog.running
    qtbot.mouseClick(dialog.cancel_button, Qt.LeftButton)
    wait(qtbot, window)
    assert dialog.status.text() == "Stopped."
    assert not dialog.report_button.isEnabled()


def test_closing_the_window_asks_first(
    qtbot: QtBot, evaluating: Callable[[str], MainWindow], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])
    monkeypatch.setattr("gui.closing.ask_stop_evaluation", lambda _: next(answers))
    window = evaluating("hang")
    start(qtbot, window)
    window.close()
    assert window.isVisible()
    assert window.evaluations.busy
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=WAIT_MS)
    assert not window.evaluations.busy


def test_the_real_process_refuses_a_missing_folder(
    qtbot: QtBot, open_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    """Run the real process: ``python -m evaluation`` reports the error, and the window shows it."""
    window = open_window(real_images=str(tmp_path / "nowhere"))
    dialog = start(qtbot, window)
    qtbot.waitUntil(lambda: not window.evaluations.busy, timeout=6 * WAIT_MS)
    assert dialog.status.text().startswith("The set was not evaluated: ")
    assert str(tmp_path) in dialog.status.text()
    assert json.loads(EvaluationRequest(tmp_path, tmp_path, tmp_path).encoded())["format"] == "isicgui.evaluation/1"
