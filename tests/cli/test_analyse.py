"""``main.py analyse`` from its arguments to the report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import cli.analyse
from cli.application import main
from core.paths import PROJECT_ROOT
from tests.conftest import REAL_IMAGES
from tests.xai.networks import write_classifier

REAL_IMAGE = REAL_IMAGES / "images" / "ISIC_0024310.jpg"


STAND_IN = """
import json, sys, time
job = json.load(open(sys.argv[1], encoding="utf-8"))
def send(**line):
    print(json.dumps(line), flush=True)
send(event="progress", done=1, total=122, doing="loading")
send(event="warning", text="the checkpoint is gone")
time.sleep(job["every"] - 7)
send(event="progress", done=100, total=122, doing="Time-SHAP")
probabilities = {"NV": 0.2, "MEL": 0.7, "DF": 0.1}
send(event="finished", main="/x/report.html", target={"class": "MEL"}, probabilities=probabilities)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with the messages of an analysis. It sleeps for ``every - 7`` seconds."""
    program = tmp_path / "stand_in.py"
    program.write_text(STAND_IN)
    monkeypatch.setattr(cli.analyse, "headless_command", lambda _package: (sys.executable, str(program)))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small analysis for tests."""
    command = (sys.executable, "-m", "tests.xai.small_analysis")
    monkeypatch.setattr(cli.analyse, "headless_command", lambda _package: command)


@pytest.mark.usefixtures("small")
def test_a_generated_image_ends_in_a_report(
    tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classifier(tiny_checkpoints)
    monkeypatch.setenv("XAI_SAVE_EVERY_N", "4")
    places = ["--checkpoints", str(tiny_checkpoints), "--output", str(tmp_path / "o")]
    settings = ["--classes", "DF=1", "--steps", "6", "--device", "cpu", "--record-trajectory"]
    assert main(["generate", *settings, *places]) == 0
    capsys.readouterr()
    image = tmp_path / "o" / "DF" / "ISIC_0000001.png"
    arguments = ["analyse", str(image), "--checkpoints", str(tiny_checkpoints), "--output", str(tmp_path / "x")]
    assert main([*arguments, "--target", "nv", "--json"]) == 0
    received = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    finished = received[-1]
    assert finished["event"] == "finished"
    facts = json.loads(Path(finished["folder"], "analysis.json").read_text(encoding="utf-8"))
    assert facts["trajectory"]["origin"] == "recorded"
    assert [step["step"] for step in facts["steps"] if step["kept"]] == [4, 6]
    assert facts["target"]["class"] == "NV"
    assert Path(finished["main"]).is_file()


HOSTILE = r"""
import json, sys
def tell(**line):
    print(json.dumps(line), flush=True)
tell(event="progress", done=1, total=2, doing="loading \x1b]0;title\x07")
tell(event="warning", text="a\x1b[2Jb\nerror: c")
tell(event="finished", main="/x/\u202e\x9b.html", target={"class": "MEL"}, probabilities={"MEL": 1.0})
"""


def test_what_a_process_reports_cannot_control_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "hostile.py"
    program.write_text(HOSTILE)
    monkeypatch.setattr(cli.analyse, "headless_command", lambda _package: (sys.executable, str(program)))
    assert main(["analyse", str(REAL_IMAGE)]) == 0
    shown = capsys.readouterr()
    for character in "\x1b\x07\u202e\x9b":
        assert character not in shown.out + shown.err
    assert "warning: a\\x1b[2Jb\\nerror: c" in shown.err
    assert "Report: /x/\\u202e\\x9b.html" in shown.out


@pytest.mark.usefixtures("stand_in")
def test_it_shows_the_progress_and_the_path_of_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyse", str(REAL_IMAGE), "--every", "7"]) == 0
    shown = capsys.readouterr()
    assert "Time-SHAP 100%" in shown.err
    assert "warning: the checkpoint is gone" in shown.err
    assert shown.out.splitlines() == ["Explained MEL; MEL 70.0%, NV 20.0%, DF 10.0%", "Report: /x/report.html"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["no_such.png"], 2, "There is no image no_such.png."),
        ([str(REAL_IMAGE), "--every", "0"], 2, "'every' 0 is not a whole number from 1 to 1000."),
        ([str(REAL_IMAGE), "--target", "SCC"], 2, "The target 'SCC' is not a class"),
        ([str(REAL_IMAGE), "--time-limit", "-1"], 2, "The time limit -1 is not a number of seconds above 0."),
    ],
)
def test_wrong_arguments_are_one_sentence(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyse", *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_an_image_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.png").write_text("not an image")
    assert main(["analyse", str(tmp_path / "notes.png"), "--output", str(tmp_path / "x"), "--json"]) == 1
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line == {
        "event": "error",
        "text": f"{tmp_path / 'notes.png'} is not a readable image.",
        "exit_code": 1,
    }


@pytest.mark.usefixtures("stand_in")
def test_the_time_limit_ends_it_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyse", str(REAL_IMAGE), "--every", "60", "--time-limit", "1"]) == 1
    assert capsys.readouterr().err.endswith("error: It took longer than 1 s and was stopped.\n")


@pytest.mark.usefixtures("stand_in")
def test_without_a_temporary_folder_it_fails_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert main(["analyse", str(REAL_IMAGE)]) == 1
    message = capsys.readouterr().err
    assert f"error: The job file cannot be written into {tmp_path / 'gone'} (" in message
    assert "Traceback" not in message


def test_an_output_that_is_a_file_is_refused_before_anything_is_computed(
    tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_text("")
    arguments = ["--checkpoints", str(tiny_checkpoints), "--output", str(tmp_path / "x")]
    assert main(["analyse", str(REAL_IMAGE), *arguments]) == 2
    assert "cannot be written (Not a directory)" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_an_interruption_ends_it_with_130_and_leaves_no_process(tiny_checkpoints: Path, tmp_path: Path) -> None:
    write_classifier(tiny_checkpoints)
    image = Path(shutil.copy(REAL_IMAGE, tmp_path / "mole.jpg"))
    arguments = ["--checkpoints", str(tiny_checkpoints), "--output", str(tmp_path / "x"), "--json"]
    process = subprocess.Popen(
        [sys.executable, "main.py", "analyse", str(image), *arguments],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "loading" in process.stdout.readline()
    process.terminate()
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "")


@pytest.mark.usefixtures("small")
@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are Unicode")
def test_names_that_are_not_utf8_are_analysed(
    tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_classifier(tiny_checkpoints)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    odd.mkdir()
    image = odd / os.fsdecode(b"\xfe<i>.jpg")
    shutil.copy(REAL_IMAGE, image)
    tiny_checkpoints.rename(odd / "models")
    places = ["--checkpoints", str(odd / "models"), "--output", str(odd / "x")]
    assert main(["analyse", str(image), *places, "--json"]) == 0
    finished = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1]
    assert finished["event"] == "finished"
    facts = json.loads((Path(finished["folder"]) / "analysis.json").read_bytes())
    assert facts["image"] == image.name
    report = Path(finished["main"]).read_text(encoding="utf-8")
    assert "\\udcfe&lt;i&gt;.jpg" in report
