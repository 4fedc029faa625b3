from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from core.io import folder_lock
from core.io.folder_lock import LOCK_NAME, taking_turns


def test_the_owner_is_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "WAIT_S", 0.05)
    with taking_turns(tmp_path), pytest.raises(Timeout), taking_turns(tmp_path):
        pytest.fail("two owners")
    with taking_turns(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EACCES])
def test_where_no_lock_can_be_had_the_work_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_: FileLock) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    with taking_turns(tmp_path):
        (tmp_path / "written").touch()
    assert (tmp_path / "written").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="files have no mode there")
def test_the_lock_file_of_one_user_does_not_shut_out_another(tmp_path: Path) -> None:
    with taking_turns(tmp_path):
        pass
    assert (tmp_path / LOCK_NAME).stat().st_mode & 0o666 == 0o666
