from __future__ import annotations

import errno
from pathlib import Path

import pytest

from core.io.side_files import SideFiles


def test_each_file_that_cannot_be_written_is_reported_once(tmp_path: Path) -> None:
    warnings: list[str] = []
    files = SideFiles(warnings.append)
    for _ in range(2):
        for name in ("curve.csv", "curve.png"):
            with files.continue_without(tmp_path / name):
                raise PermissionError(errno.EACCES, "Permission denied")
    assert [text.partition(";")[0] for text in warnings] == [
        f"{tmp_path / name} cannot be written (Permission denied)" for name in ("curve.csv", "curve.png")
    ]
    assert all("Close the file in other programs, or free disk space." in text for text in warnings)


def test_an_error_without_a_system_message_is_reported_with_its_own_text(tmp_path: Path) -> None:
    warnings: list[str] = []
    with SideFiles(warnings.append).continue_without(tmp_path):
        raise OSError("the stream is closed")
    assert "cannot be written (the stream is closed)" in warnings[0]


def test_other_errors_are_not_caught(tmp_path: Path) -> None:
    warnings: list[str] = []
    with pytest.raises(ValueError, match="a defect"), SideFiles(warnings.append).continue_without(tmp_path):
        raise ValueError("a defect")
    assert not warnings
