"""The runner against real processes: well, crashed, killed, hanging, deaf, flooding, silent."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import core.process.runner
from core.errors import ArgumentError, JobFailedError
from core.generation.control import Control
from core.paths import PROJECT_ROOT
from core.process.protocol import Message
from core.process.runner import headless_environment, run_headless

PROGRAM = """
import json, os, sys, time
sys.path.insert(0, os.getcwd())
from core.process.worker import stoppable, tell
how, file = sys.argv[1:]
job = json.load(open(file, encoding="utf-8"))
if how == "well":
    tell("progress", done=1, total=2)
    tell("notice", text=f"{job['text']} {os.environ['MPLBACKEND']} {os.environ['XAI_SAVE_EVERY_N']}")
elif how == "crash":
    tell("progress", done=1, total=2)
    raise ZeroDivisionError("boom")
elif how == "refuse":
    tell("error", text="There is no class 'SCC'.")
    sys.exit(2)
elif how == "killed":
    os.kill(os.getpid(), 9)
elif how == "hang":
    with stoppable():
        try:
            tell("hanging")  # inside the try, because the reader may request a stop immediately
            time.sleep(60)
        except KeyboardInterrupt:
            open(job["text"], "w").write("ended gently")
            sys.exit(130)
elif how == "deaf":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell("hanging")
    time.sleep(60)
elif how == "flood":
    sys.stderr.write("e" * 5_000_000)
    sys.stdout.write("x" * 3_000_000 + "\\n")
    for number in range(20_000):
        print("a line without meaning")
        print('{"event": "progress", "done": %d, "total": 20000}' % number)
    tell("result", value=7)
elif how == "endless":
    while True:
        print("x" * 1000)
elif how == "silent":
    os.close(1)
    time.sleep(0.3)
    os._exit(4)
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., list[Message]]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def run(how: str, text: str = "", **options: object) -> list[Message]:
        job = json.dumps({"text": text}, ensure_ascii=False).encode()
        environment = headless_environment({"XAI_SAVE_EVERY_N": "5"})
        return list(run_headless((sys.executable, str(program), how), job, environment=environment, **options))

    return run


def test_a_job_goes_in_and_messages_come_out(start: Callable[..., list[Message]]) -> None:
    received = start("well", "Muttermal «ü»")
    assert received[-1] == {"event": "notice", "text": "Muttermal «ü» Agg 5"}


@pytest.mark.parametrize(
    ("how", "kind", "text"),
    [
        ("crash", JobFailedError, "Its process ended with code 1: ZeroDivisionError: boom."),
        ("refuse", ArgumentError, "There is no class 'SCC'."),
        ("silent", JobFailedError, "Its process ended with code 4."),
    ],
)
def test_a_bad_end_is_one_sentence(
    start: Callable[..., list[Message]], how: str, kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as caught:
        start(how)
    assert str(caught.value) == text


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_a_killed_process_is_one_sentence(start: Callable[..., list[Message]]) -> None:
    with pytest.raises(JobFailedError, match=r"^Its process crashed or was killed\.$"):
        start("killed")


def test_a_program_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(JobFailedError, match="no_python cannot be started: No such file"):
        list(run_headless((str(tmp_path / "no_python"),), b"{}", environment={}))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", ["well", "flood"])
def test_a_thread_that_cannot_read_the_output_is_an_error_of_the_run(
    start: Callable[..., list[Message]], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    real = os.read

    def failing(descriptor: int, length: int) -> bytes:
        if threading.current_thread().name == "headless-output":
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, length)

    monkeypatch.setattr(os, "read", failing)
    with pytest.raises(JobFailedError, match=r"Its output could not be read \(Input/output error\)"):
        start(how)


def test_a_missing_temporary_folder_is_one_sentence(
    start: Callable[..., list[Message]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(JobFailedError) as caught:
        start("well")
    assert str(caught.value) == (
        f"The job file cannot be written into {tmp_path / 'gone'} (No such file or directory); "
        "free some space there, or name another folder with TMPDIR."
    )


def test_a_full_temporary_folder_is_one_sentence(
    start: Callable[..., list[Message]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(JobFailedError, match=r"^The job file cannot be written into .* \(No space left on device\); "):
        start("well")


def test_no_usable_temporary_folder_is_one_sentence(
    start: Callable[..., list[Message]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/no/such/folder"])
    with pytest.raises(JobFailedError) as caught:
        start("well")
    assert str(caught.value).startswith("The job file cannot be written into a temporary folder (No usable temporary")


def test_the_time_limit_ends_a_hanging_process_gently(start: Callable[..., list[Message]], tmp_path: Path) -> None:
    with pytest.raises(JobFailedError, match=r"^It took longer than 2 s and was stopped\.$"):
        start("hang", str(tmp_path / "last_words"), time_limit_s=2.0)
    assert (tmp_path / "last_words").read_text() == "ended gently"


def test_a_process_that_ignores_signals_is_killed(
    start: Callable[..., list[Message]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.process.runner, "GRACE_S", 0.3)
    with pytest.raises(JobFailedError, match="took longer"):
        start("deaf", time_limit_s=1.0)


def test_cancelling_ends_it_without_an_error(start: Callable[..., list[Message]], tmp_path: Path) -> None:
    control = Control()
    timer = threading.Timer(1.5, control.stop_now)
    timer.start()
    began = time.monotonic()
    start("hang", str(tmp_path / "last_words"), control=control)
    timer.join()
    assert time.monotonic() - began < 20


def test_an_iterator_that_is_closed_leaves_no_process(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    job = json.dumps({"text": str(tmp_path / "last_words")}).encode()
    environment = headless_environment({})
    messages = run_headless((sys.executable, str(program), "hang"), job, environment=environment)
    assert next(messages) == {"event": "hanging"}
    messages.close()
    assert (tmp_path / "last_words").read_text() == "ended gently"
    assert psutil.Process().children() == []


@pytest.mark.skipif(os.name == "nt", reason="on Windows a closed stdin is the only way, and the other tests go it")
def test_a_closed_stdin_is_enough(start: Callable[..., list[Message]], tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "job.json").write_text(json.dumps({"text": str(tmp_path / "last_words")}))
    command = [sys.executable, str(tmp_path / "program.py"), "hang", str(tmp_path / "job.json")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=headless_environment({}))
    assert process.stdout is not None
    process.stdout.readline()
    process.communicate()  # closes stdin
    assert process.returncode == 130
    assert (tmp_path / "last_words").read_text() == "ended gently"


def test_a_flood_is_bounded_and_the_result_is_received(start: Callable[..., list[Message]]) -> None:
    received = start("flood")
    logged = [message for message in received if message["event"] == "log"]
    assert len(logged) == 1000
    assert received[-1] == {"event": "result", "value": 7}
    assert max(len(message["text"]) for message in logged) < 100  # the line of 3 MB is left out
    assert sum(message["event"] == "progress" for message in received) < 5_000
    assert {
        "event": "warning",
        "text": "The process sent more than 1000 text messages; the rest is omitted.",
    } in received


def test_a_process_waits_while_nobody_reads(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = (sys.executable, str(program), "endless")
    messages = run_headless(command, b'{"text": ""}', environment=headless_environment({}))
    next(messages)
    (child,) = psutil.Process().children()
    time.sleep(0.5)
    before, used = child.io_counters().write_bytes, child.cpu_times().user
    time.sleep(0.5)
    assert child.io_counters().write_bytes == before
    assert child.cpu_times().user - used < 0.1
    messages.close()


ASKED_OFTEN = """
import os, signal, sys, time
sys.path.insert(0, os.getcwd())
from core.process.worker import stoppable
try:
    with stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
except KeyboardInterrupt:
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(os.getpid(), number)
        time.sleep(0.1)
    print("tidied up")
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_a_process_that_is_asked_to_end_twice_is_interrupted_once() -> None:
    ended = subprocess.run(
        (sys.executable, "-c", ASKED_OFTEN), check=False, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "tidied up\n", "")


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_the_handlers_of_a_process_that_nobody_asked_are_given_back() -> None:
    from core.process.worker import stoppable

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    with stoppable():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before
