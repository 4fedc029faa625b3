from __future__ import annotations

import errno
from pathlib import Path

import pytest

from core.io.side_files import SideFiles


def test_each_file_that_cannot_be_written_is_told_of_once(tmp_path: Path) -> None:
    told: list[str] = []
    files = SideFiles(told.append)
    for _ in range(2):
        for name in ("curve.csv", "curve.png"):
            with files.going_on_without(tmp_path / name):
                raise PermissionError(errno.EACCES, "Permission denied")
    assert [text.partition(";")[0] for text in told] == [
        f"{tmp_path / name} cannot be written (Permission denied)" for name in ("curve.csv", "curve.png")
    ]
    assert all("Close it where it is open, or make room." in text for text in told)


def test_an_error_without_a_system_s_words_is_told_in_its_own(tmp_path: Path) -> None:
    told: list[str] = []
    with SideFiles(told.append).going_on_without(tmp_path):
        raise OSError("the stream is closed")
    assert "cannot be written (the stream is closed)" in told[0]


def test_what_is_no_matter_of_a_file_passes(tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(ValueError, match="a defect"), SideFiles(told.append).going_on_without(tmp_path):
        raise ValueError("a defect")
    assert not told
