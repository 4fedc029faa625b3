"""``main.py evaluate`` and ``compare`` from the user's side: real processes, exit codes, files."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cli.application import main
from core.io.atomic_files import PART_SUFFIX
from core.paths import PROJECT_ROOT
from evaluation.__main__ import main as worker
from evaluation.job import EvaluationJob
from tests.evaluation.conftest import Evaluated


@pytest.fixture
def arguments(folders: tuple[Path, Path, Path], tmp_path: Path) -> list[str]:
    images, real, cache = folders
    folders_and_cache = ["--real", str(real), "--output", str(tmp_path / "o"), "--cache", str(cache)]
    return ["evaluate", str(images), *folders_and_cache, "--features", "imagenet", "--quick"]


def test_copies_fail_the_job_on_request(
    arguments: list[str],
    evaluated: Evaluated,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main([*arguments, "--fail-on-copies", "--json", "--classes", "MEL"]) == 1
    out, err = capfd.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    finished = next(event for event in events if event["event"] == "finished")
    assert (finished["copies"], finished["images"]) == (1, 8)
    assert "Copies were found: 1 of 8 images" in err
    assert events[-1]["exit_code"] == 1
    assert {file.name for file in (tmp_path / "o").iterdir()} == {
        *("evaluation.html", "evaluation.json", "DATASET_CARD.md")
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--classes", "SCC"], "'SCC'"),
        (["--features", "clip"], "'clip'"),
        (["--seed", "-1"], "seed -1"),
        (["--real", "/nowhere"], "/nowhere"),
        (["--size", "3"], "size 3"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_written(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str], changes: list[str], message: str
) -> None:
    assert main([*arguments, *changes]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "o").exists() or not any((tmp_path / "o").iterdir())


def test_compare_needs_two_sets(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path), "--output", str(tmp_path / "o")]) == 2
    assert "at least two sets" in capfd.readouterr().err
    assert main(["compare", str(tmp_path), str(tmp_path / "b"), "--output", str(tmp_path / "o")]) == 2
    assert str(tmp_path / "b") in capfd.readouterr().err


def test_the_worker_compares_finished_evaluations(
    evaluated: Evaluated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(evaluated.files[0].parent)
    job = {"format": "isicgui.comparison/1", "sets": [folder, folder], "output": str(tmp_path / "o")}
    (tmp_path / "job.json").write_text(json.dumps(job))
    assert worker([str(tmp_path / "job.json")]) == 0
    *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert last["event"] == "finished"
    assert "| out (2) | 16 |" in last["summary"][0]
    assert (tmp_path / "o" / "comparison.html").is_file()


@pytest.mark.parametrize(("room", "code", "said"), [(0, 2, "--output"), (1, 1, "files written before: 1,")])
def test_a_disk_that_fills_after_the_first_file_is_a_failure_of_the_job(
    evaluated: Evaluated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    room: int,
    code: int,
    said: str,
) -> None:
    folder, output = str(evaluated.files[0].parent), tmp_path / "o"
    job = {"format": "isicgui.comparison/1", "sets": [folder, folder], "output": str(output)}
    (tmp_path / "job.json").write_text(json.dumps(job))

    def full(_descriptor: int) -> None:
        if sum(file.suffix != PART_SUFFIX for file in output.iterdir()) == room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert worker([str(tmp_path / "job.json")]) == code
    *_, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert last["event"] == "error"
    assert "No space left on device" in last["text"]
    assert said in last["text"]
    assert len(list(output.iterdir())) == room


@pytest.mark.parametrize("arguments", [[], ["a.json", "b.json"], ["/nowhere.json"]])
def test_the_worker_names_the_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert worker(arguments) == 2
    assert json.loads(capsys.readouterr().out)["event"] == "error"


def test_the_worker_refuses_a_device_that_does_not_exist(
    folders: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = EvaluationJob(folders[0], folders[1], tmp_path / "o", device="cuda:99", cache=folders[2])
    (tmp_path / "job.json").write_text(json.dumps(job.to_json()))
    assert worker([str(tmp_path / "job.json")]) == 2
    assert "cuda:99" in capsys.readouterr().out


def test_an_interrupt_leaves_nothing_running(arguments: list[str], tmp_path: Path) -> None:
    arguments[arguments.index("--cache") + 1] = str(tmp_path / "empty cache")
    command = [sys.executable, str(PROJECT_ROOT / "main.py"), *arguments, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("doing", "").startswith("Features"):
                break
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == 130
    assert not psutil.wait_procs(children, timeout=5)[1]
    assert not (tmp_path / "o" / "evaluation.json").exists()
