from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from core.errors import JobFailedError, OutputFolderError
from core.io.atomic_files import cannot_write, write_whole
from core.io.kept_results import keeping_results

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_until_full(folder: Path, files: int) -> None:
    for number in range(files):
        (folder / f"part {number}").mkdir(parents=True, exist_ok=True)
        write_whole(folder / f"part {number}" / "result.json", b"{}")
    raise cannot_write(folder, FULL) from FULL


@pytest.mark.parametrize("files", [1, 3])
def test_results_that_a_full_disk_cut_short_are_counted_and_kept(tmp_path: Path, files: int) -> None:
    write_whole(tmp_path / "earlier", b"of another run")
    with pytest.raises(JobFailedError) as caught, keeping_results(tmp_path):
        write_until_full(tmp_path, files)
    assert f"{tmp_path} cannot be written (No space left on device); files written before: {files}," in str(
        caught.value
    )
    assert len(list(tmp_path.rglob("result.json"))) == files


def test_a_replaced_file_counts(tmp_path: Path) -> None:
    with pytest.raises(OutputFolderError), keeping_results(tmp_path / "out"):
        write_until_full(tmp_path / "out", 0)
    for _ in range(2):
        with pytest.raises(JobFailedError, match="files written before: 2,"), keeping_results(tmp_path / "out"):
            write_until_full(tmp_path / "out", 2)


def test_another_error_and_a_folder_that_is_none_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFolderError), keeping_results(tmp_path / "file"):
        raise cannot_write(tmp_path / "file", FULL) from FULL
    with pytest.raises(ZeroDivisionError), keeping_results(tmp_path):
        write_whole(tmp_path / "a", b"")
        raise ZeroDivisionError
