"""The log file: what it receives, how it rotates, and that it never disturbs the work."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.paths import PROJECT_ROOT
from core.process import log_file as module
from core.process.log_file import FILE_NAME, log_file

OURS, FOREIGN = logging.getLogger("core.example"), logging.getLogger("foreign.example")


def test_the_log_has_our_messages_and_the_warnings_of_libraries(tmp_path: Path) -> None:
    with log_file("test", folder=tmp_path / "logs"):
        OURS.info("ours %d", 1)
        OURS.debug("a step")
        FOREIGN.info("chatter")
        FOREIGN.warning("foreign trouble")
    OURS.warning("after the end")
    text = (tmp_path / "logs" / FILE_NAME).read_text()
    assert "INFO" in text
    assert "core.example: ours 1" in text
    assert "foreign trouble" in text
    assert not [word for word in ("a step", "chatter", "after the end") if word in text]


def test_a_message_cannot_control_a_terminal(tmp_path: Path) -> None:
    with log_file("test", folder=tmp_path):
        OURS.warning("The file %s is damaged", "a\x1b[2Jb")
    assert "The file a\\x1b[2Jb is damaged" in (tmp_path / FILE_NAME).read_text()


def test_verbose_logs_steps_to_stderr_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with log_file("test", verbose=True, folder=tmp_path):
        OURS.debug("a step")
        FOREIGN.debug("chatter")
    assert "DEBUG core.example: a step" in capsys.readouterr().err
    assert "chatter" not in (tmp_path / FILE_NAME).read_text()


def test_an_unexpected_error_is_logged_with_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), log_file("test", folder=tmp_path):
        1 / 0  # noqa: B018
    text = (tmp_path / FILE_NAME).read_text()
    assert "CRITICAL" in text
    assert "ZeroDivisionError" in text
    assert "Traceback" in text


def test_a_folder_that_cannot_be_made_means_no_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("a file")
    with log_file("test", folder=tmp_path / "logs"):
        OURS.error("unheard")
    assert capsys.readouterr() == ("", "")


def test_the_log_rotates_and_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 2000)
    with log_file("test", folder=tmp_path):
        for number in range(300):
            OURS.info("message %d", number)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [FILE_NAME, *(f"{FILE_NAME}.{number}" for number in (1, 2, 3))]
    assert all(file.stat().st_size <= 2000 for file in files)
    assert "message 299" in files[0].read_text()


def test_a_log_that_cannot_be_renamed_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Windows while another process has it open."""

    def refuse(_self: object, _source: str, _target: str) -> None:
        raise PermissionError

    monkeypatch.setattr(module, "LARGEST", 500)
    monkeypatch.setattr(module._File, "rotate", refuse)
    with log_file("test", folder=tmp_path):
        for number in range(20):
            OURS.info("message %d", number)
    lines = (tmp_path / FILE_NAME).read_text().splitlines()
    assert [line.rpartition(": ")[2] for line in lines[-20:]] == [f"message {number}" for number in range(20)]
    assert capsys.readouterr().err == ""


def test_a_command_logs_its_error_and_keeps_stderr_to_one_sentence(tmp_path: Path) -> None:
    environment = {**os.environ, "ISICGUI_HOME": str(tmp_path)}
    command = [sys.executable, "main.py", "explain", "missing.png", "--json"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: There is no image missing.png.\n"
    assert len(done.stdout.splitlines()) == 1
    text = (tmp_path / "logs" / FILE_NAME).read_text()
    assert "explain: ISICGUI" in text
    assert "ERROR" in text
    assert "There is no image missing.png." in text
    assert "explain ended with exit code 2" in text
