"""How a command ends, and what the one who started it gets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from core.errors import ArgumentError, CheckpointError, ClassifierError, DownloadError, IsicGuiError, JobFailedError
from core.generation.events import JobFinished
from core.paths import PROJECT_ROOT
from core.process.exit_codes import code_of_job, run_command


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ArgumentError("The count is wrong."), 2),
        (CheckpointError("The file is damaged."), 2),
        (ClassifierError("The head is untrained."), 2),
        (DownloadError("The server is away."), 1),
        (JobFailedError("The disk is full."), 1),
    ],
)
def test_an_error_is_one_sentence_and_its_code(
    error: IsicGuiError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(raising(error), as_json=True) == code
    printed = capsys.readouterr()
    assert printed.err == f"error: {error}\n"
    assert json.loads(printed.out) == {"event": "error", "text": str(error), "exit_code": code}
    assert run_command(raising(error), as_json=False) == code
    assert capsys.readouterr().out == ""


def test_ctrl_c_prints_the_given_text_and_other_errors_are_raised(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(raising(KeyboardInterrupt()), as_json=True, when_interrupted="Kept.") == 130
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "Kept.\n")
    for error in (ZeroDivisionError(), BrokenPipeError()):  # the latter not of stdout: a reader is there
        with pytest.raises(type(error)):
            run_command(raising(error), as_json=False)
    assert run_command(lambda: 1, as_json=False) == 1


@pytest.mark.parametrize("work", ["print('line')", "print('line\\n' * 100_000)", "raise ArgumentError('Wrong.')"])
def test_a_reader_that_goes_away_ends_it(work: str) -> None:
    """As behind ``| head -1``; of one line Python itself would complain, when it flushes at its end."""
    code = (
        "import sys, time\nfrom core.errors import ArgumentError\nfrom core.process.exit_codes import run_command\n"
        f"def work():\n    time.sleep(0.5)\n    {work}\n    return 0\n"
        "sys.exit(run_command(work, as_json=True))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 130


def test_the_code_of_a_job_is_that_of_its_end() -> None:
    ends = [JobFinished(2, 0, False, 1.0), JobFinished(1, 1, False, 1.0), JobFinished(1, 1, True, 1.0), None]
    assert [code_of_job(end) for end in ends] == [0, 1, 130, 0]
