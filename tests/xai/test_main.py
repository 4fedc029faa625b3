"""``python -m xai`` as a real process."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import xai.__main__
from core.errors import ArgumentError, JobFailedError
from core.generation.control import Control
from core.io.atomic_files import PART_SUFFIX
from core.paths import PROJECT_ROOT
from core.process.runner import headless_command, headless_environment, run_headless
from tests.xai.conftest import REAL_IMAGE
from xai.job import ANALYSIS, OVERLAY, ExplanationJob, result_folder

SMALL = (sys.executable, "-m", "tests.xai.small_analysis")


def job(checkpoints: Path, output: Path, kind: str = OVERLAY, **changes: Any) -> ExplanationJob:
    return ExplanationJob(kind, REAL_IMAGE, checkpoints, output, **changes)


def messages(asked: ExplanationJob, command: tuple[str, ...] = SMALL, **options: Any) -> Iterator[dict[str, Any]]:
    return run_headless(command, asked.encoded(), environment=headless_environment({}), **options)


def test_an_overlay_is_made_in_the_background_on_one_core(checkpoints: Path, tmp_path: Path) -> None:
    running = messages(job(checkpoints, tmp_path), headless_command("xai"))
    received = [next(running)]
    (child,) = psutil.Process().children()
    assert received == [{"event": "progress", "done": 0, "total": 1, "doing": "loading"}]
    assert child.nice() == (psutil.IDLE_PRIORITY_CLASS if sys.platform == "win32" else 19)
    received += running
    overlay = next(message for message in received if message["event"] == "overlay")
    folder = result_folder(tmp_path, REAL_IMAGE)
    assert Path(overlay["path"]) == folder / "image_map.png"
    assert Path(overlay["path"]).is_file()
    finished = received[-1]
    assert finished["event"] == "finished"
    facts = json.loads((folder / "image_facts.json").read_text(encoding="utf-8"))
    assert finished["probabilities"] == facts["probabilities"]
    assert not (folder / "analysis.json").exists()


def test_a_cancelled_analysis_leaves_whole_files_only(checkpoints: Path, tmp_path: Path) -> None:
    control = Control()
    received = []
    for message in messages(job(checkpoints, tmp_path, ANALYSIS), control=control):
        received.append(message)
        if message["event"] == "overlay":
            control.stop_now()
            asked = time.monotonic()
    assert time.monotonic() - asked < 15
    assert received[-1]["event"] != "finished"
    folder = result_folder(tmp_path, REAL_IMAGE)
    assert (folder / "image_map.png").is_file()
    assert not (folder / "report.html").exists()
    assert [path for path in folder.rglob("*") if path.suffix == ".part"] == []


def test_a_job_without_a_usable_classifier_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xai.__main__, "stay_in_the_background", lambda: None)  # this is the tests' own process
    (tmp_path / "classifier.pth").write_bytes(b"not a classifier")
    (tmp_path / "job.json").write_bytes(job(tmp_path, tmp_path / "results", ANALYSIS).encoded())
    assert xai.__main__.main([str(tmp_path / "job.json")]) == 2
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "error"
    assert "classifier.pth was refused" in last["text"]


def test_a_disk_that_fills_after_some_files_is_a_failure_that_counts_them(
    checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xai.__main__, "stay_in_the_background", lambda: None)  # this is the tests' own process
    monkeypatch.setattr(xai.__main__, "_QUICK_IG_STEPS", 2)
    monkeypatch.setattr(xai.__main__, "_QUICK_SHAP_SAMPLES", 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "job.json").write_bytes(job(checkpoints, tmp_path / "results").encoded())
    written = result_folder(tmp_path / "results", REAL_IMAGE)

    def full(_descriptor: int) -> None:
        if len([file for file in written.iterdir() if file.suffix != PART_SUFFIX]) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert xai.__main__.main([str(tmp_path / "job.json")]) == 1
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert f"{written} cannot be written (No space left on device); files written before: 3," in last["text"]
    assert len(list(written.iterdir())) == 3


def test_a_missing_image_fails_only_that_image(checkpoints: Path, tmp_path: Path) -> None:
    gone = ExplanationJob(OVERLAY, tmp_path / "gone.png", checkpoints, tmp_path)
    with pytest.raises(JobFailedError, match=r"There is no image .*gone\.png"):
        list(messages(gone, headless_command("xai")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": "isicgui.xai/1"}', "lacks the field 'kind'"),
        ('{"format": "isicgui.xai/1", "kind": "overlay", "speed": 3}', "unknown field 'speed'"),
        ("[1, 2]", "is not an explanation job"),
    ],
)
def test_a_wrong_job_file_is_one_line_and_code_2(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "job.json"
    file.write_text(content)
    done = subprocess.run(
        [*headless_command("xai"), str(file)], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["event"] == "error"
    assert message in json.loads(line)["text"]


def test_a_wrong_variable_is_named(checkpoints: Path, tmp_path: Path) -> None:
    environment = headless_environment({"XAI_SAVE_EVERY_N": "often"})
    with pytest.raises(ArgumentError, match="XAI_SAVE_EVERY_N is 'often'"):
        list(run_headless(headless_command("xai"), job(checkpoints, tmp_path).encoded(), environment=environment))
