"""How a command ends, and what the one who started it gets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
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
    for error in (ZeroDivisionError(), BrokenPipeError()):  # the latter of another pipe
        with pytest.raises(type(error)):
            run_command(raising(error), as_json=False)
    assert run_command(lambda: 1, as_json=False) == 1


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        ("print('line')", 130, b""),  # Python itself would complain when it flushes at its end
        ("print('line\\n' * 100_000)", 130, b""),
        ("raise ArgumentError('Wrong.')", 2, b"error: Wrong.\n"),
    ],
)
def test_output_without_a_reader_is_an_interruption_but_no_error_is_hidden(work: str, code: int, said: bytes) -> None:
    """As behind ``| head -1``."""
    program = (
        "import sys, time\nfrom core.errors import ArgumentError\nfrom core.process.exit_codes import run_command\n"
        f"def work():\n    time.sleep(0.5)\n    {work}\n    return 0\n"
        "sys.exit(run_command(work, as_json=True))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == said
    assert process.returncode == code


WAITING = """
import sys, time
from core.process.exit_codes import run_command

def work():
    try:
        print("ready", flush=True)
        time.sleep(2)
        return 0
    finally:
        time.sleep(0.3)
        print("tidied up", flush=True)

sys.exit(run_command(work, as_json=False))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_interrupts_it_once(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING], cwd=PROJECT_ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)  # as a terminal that closes and a scheduler do at the same time
        assert process.stdout.read() == b"tidied up\n"
    assert process.returncode == 130


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_a_process_that_nohup_started_outlives_its_terminal() -> None:
    command = ["nohup", sys.executable, "-c", WAITING]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.stdout.read() == b"tidied up\n"
    assert process.returncode == 0


def test_the_code_of_a_job_is_that_of_its_end() -> None:
    ends = [JobFinished(2, 0, False, 1.0), JobFinished(1, 1, False, 1.0), JobFinished(1, 1, True, 1.0), None]
    assert [code_of_job(end) for end in ends] == [0, 1, 130, 0]
