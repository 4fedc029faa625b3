"""Commands as a shell starts them, with streams that cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.paths import PROJECT_ROOT
from core.process.streams import lasting_streams, lost_output

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the redirections are those of bash")

PROGRAM = """
import sys
from core.process.exit_codes import run_command

def work():
    for number in range(3):
        print("line", number)
        print("progress", number, file=sys.stderr)
    with open(sys.argv[1], "w") as file:
        file.write(f"descriptor {file.fileno()}")
    return 0

sys.exit(run_command(work, as_json=False, result_is_output=sys.argv[2] == "output"))
"""
ENDED_PIPE = ">&3"
TRACES = ("Traceback", "Exception ignored", "Errno")


def started(redirection: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Start a command with a redirection of the shell; descriptor 3 is a pipe whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            ["bash", "-c", f'exec "$@" {redirection.replace("&3", f"&{writer}")}', "bash", *command],
            cwd=PROJECT_ROOT,
            pass_fds=[writer],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writer)


@pytest.mark.parametrize(
    ("redirection", "code"),
    [
        (">&-", 0),
        ("2>&-", 0),
        (">&- 2>&- <&-", 0),
        (">/dev/full", 1),
        ("2>/dev/full", 0),
        (">/dev/full 2>/dev/full", 1),
        (ENDED_PIPE, 130),
        (f"2{ENDED_PIPE}", 0),
        (f"{ENDED_PIPE} 2>&1", 130),
    ],
)
def test_a_lost_stream_ends_no_work(redirection: str, code: int, tmp_path: Path) -> None:
    for kind, expected in (("files", 0), ("output", code)):
        result = tmp_path / kind
        done = started(redirection, sys.executable, "-c", PROGRAM, str(result), kind)
        assert done.returncode == expected, done.stderr
        assert not any(trace in done.stderr for trace in TRACES)
        assert result.read_text().startswith("descriptor ")
        assert int(result.read_text().split()[1]) > 2, "the file was opened as a standard stream"


def test_output_that_a_full_disk_lost_is_one_sentence(tmp_path: Path) -> None:
    done = started(">/dev/full", sys.executable, "-c", PROGRAM, str(tmp_path / "result"), "output")
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert sentence == "error: The output cannot be written (No space left on device); write it elsewhere."


@pytest.mark.parametrize("redirection", [">/dev/full", ENDED_PIPE, "2>&-", ">&-"])
@pytest.mark.parametrize("command", [["main.py", "--help"], ["main.py", "no-such-command"], ["-m", "diffusion", "-h"]])
def test_what_the_parser_prints_leaves_no_trace(command: list[str], redirection: str) -> None:
    done = started(redirection, sys.executable, *command)
    assert done.returncode == (2 if "no-such-command" in command else 0)
    assert not any(trace in done.stderr for trace in TRACES)


def test_a_full_pipe_that_does_not_block_is_waited_for() -> None:
    """As after a terminal program has left its pipe in that state."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    lines = "for number in range(20_000): print(f'{number:060}')"
    code = f"from core.process.streams import lasting_streams\nwith lasting_streams():\n    {lines}"
    with subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT_ROOT, stdout=writer, text=True) as process:
        os.close(writer)
        with os.fdopen(reader) as output:
            assert [int(line) for line in output] == list(range(20_000))
    assert process.returncode == 0


def test_blocks_nest_and_restore_the_streams(capfd: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with lasting_streams():
        outer = sys.stdout
        sys.stdout.write("первый\n")
        with lasting_streams():
            assert sys.stdout is outer
        sys.stdout.write("second\n")
        assert lost_output() is None
    assert (sys.stdout, sys.stderr) == before
    assert capfd.readouterr().out == "первый\nsecond\n"
