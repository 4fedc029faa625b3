from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from core.errors import ArgumentError, JobFailedError
from core.process.worker import run_job


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_work_gets_the_job_file_and_its_code_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Path] = []
    assert run_job("xai", ["a job.json"], lambda file: seen.append(file) or 7) == 7
    assert seen == [Path("a job.json")]
    assert printed(capsys) == []


@pytest.mark.parametrize("arguments", [[], ["one.json", "two.json"]])
def test_anything_but_one_job_file_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_job("xai", arguments, lambda file: pytest.fail(f"began with {file}")) == 2
    assert printed(capsys) == [{"event": "error", "text": "Name one job file: python -m xai JOB.json."}]


@pytest.mark.parametrize(("error", "code"), [(ArgumentError("No such image."), 2), (JobFailedError("No room."), 1)])
def test_an_error_is_reported_and_becomes_an_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_: Path) -> int:
        raise error

    assert run_job("evaluation", ["job.json"], work) == code
    assert printed(capsys) == [{"event": "error", "text": str(error)}]


def test_a_fault_of_the_program_is_not_hidden() -> None:
    def work(_: Path) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_job("evaluation", ["job.json"], work)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process can hear")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_it_ends_quietly_when_asked_to(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]

    def work(_: Path) -> int:
        os.kill(os.getpid(), getattr(signal, name))
        signal.pause()
        raise AssertionError("the work was not interrupted")

    try:
        assert run_job("xai", ["job.json"], work) == 130
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    assert printed(capsys) == []
