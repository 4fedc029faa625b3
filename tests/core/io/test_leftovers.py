from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.io.atomic_files import require_writable
from core.io.leftovers import clear_parts, new_job_folder


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("clear", [clear_parts, require_writable])
def test_parts_of_dead_processes_go_and_everything_else_stays(tmp_path: Path, dead: int, clear: object) -> None:
    stay = [
        f"unet_MEL_best.pth.{os.getpid()}.part",  # of a process that runs
        "unet_MEL_best.pth.part",  # of a download that can go on
        f"unet_MEL_best.pth.{dead}",
        f"unet_MEL_best.pth.{dead}.part.json",
        f"{dead}.part",
        "x.99999999999.part",  # no process has such a number
    ]
    go = [f"unet_MEL_best.pth.{dead}.part", f"a b.{dead}.part"]
    for name in stay + go:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / f"folder.{dead}.part").mkdir()
    clear(tmp_path)  # type: ignore[operator]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*stay, f"folder.{dead}.part"])


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_link_with_the_name_of_a_part_is_not_touched(tmp_path: Path, dead: int) -> None:
    (tmp_path / "mine").write_bytes(b"mine")
    (tmp_path / f"x.{dead}.part").symlink_to(tmp_path / "mine")
    clear_parts(tmp_path)
    assert (tmp_path / f"x.{dead}.part").read_bytes() == b"mine"


def test_a_folder_that_is_not_there_is_nothing_to_clear(tmp_path: Path) -> None:
    clear_parts(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    clear_parts(tmp_path / "file")


def test_job_folders_of_dead_processes_go_with_the_next_job(temporary: Path, dead: int) -> None:
    stay = [f"isicgui-job-{os.getpid()}-abc", f"isicgui-other-{dead}-abc", "isicgui-job-abc"]
    for name in (*stay, f"isicgui-job-{dead}-abc"):
        (temporary / name).mkdir()
        (temporary / name / "job.json").write_text("{}")
    mine = new_job_folder()
    assert mine.parent == temporary
    assert sorted(path.name for path in temporary.iterdir()) == sorted([*stay, mine.name])


def test_the_folder_of_a_job_that_was_killed_is_gone_after_the_next_one(temporary: Path) -> None:
    code = "from core.io.leftovers import new_job_folder; print(new_job_folder()); import os; os.kill(os.getpid(), 9)"
    if os.name == "nt":
        code = code.replace("os.kill(os.getpid(), 9)", "os._exit(1)")
    environment = {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary), "TMP": str(temporary)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    left = Path(killed.stdout.strip() or next(temporary.iterdir()))
    assert left.is_dir()
    new_job_folder()
    assert not left.exists()
