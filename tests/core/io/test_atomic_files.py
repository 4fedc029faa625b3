from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from core.errors import OutputFolderError
from core.io.atomic_files import require_writable, whole_file, write_whole


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "файл.bin"
    with whole_file(target, replace=False) as stream:
        stream.write(b"half")
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert os.listdir(tmp_path) == [target.name]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a"
    write_whole(target, b"before")
    with pytest.raises(RuntimeError), whole_file(target, replace=True) as stream:
        stream.write(b"after")
        raise RuntimeError
    assert target.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a"]


def test_an_existing_file_is_never_replaced_unasked(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with pytest.raises(FileExistsError), whole_file(target, replace=False) as stream:
        stream.write(b"ours")
        target.write_bytes(b"theirs")  # appears while we write
    assert target.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_system_without_hard_links_does_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(_source: Path, _target: Path) -> None:
        raise OSError(errno.EOPNOTSUPP, "no hard links here")

    monkeypatch.setattr("core.io.atomic_files.os.link", no_links)
    with whole_file(tmp_path / "a", replace=False) as stream:
        stream.write(b"1")
    with pytest.raises(FileExistsError), whole_file(tmp_path / "a", replace=False) as stream:
        stream.write(b"2")
    assert (tmp_path / "a").read_bytes() == b"1"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_found_before_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes an empty file, but no bytes."""

    def full(path: Path) -> BinaryIO:
        path.touch()
        return Path("/dev/full").open("wb")

    monkeypatch.setattr("core.io.atomic_files.open_new", full)
    with pytest.raises(OutputFolderError, match=r"cannot be written \(No space left on device\)"):
        require_writable(tmp_path / "new")
    assert os.listdir(tmp_path / "new") == []


def test_a_folder_is_tried_before_it_is_needed(tmp_path: Path) -> None:
    require_writable(tmp_path / "new" / "folder")
    assert os.listdir(tmp_path / "new" / "folder") == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFolderError, match=r"file cannot be written \(.*\); choose another with --output"):
        require_writable(tmp_path / "file")


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights that tests may not have")
@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_under_the_temporary_name_is_not_followed(tmp_path: Path, dangling: bool) -> None:
    victim = tmp_path / "victim"
    if not dangling:
        victim.write_text("precious")
    for name in (f"table.csv.{os.getpid()}.part", f".probe.{os.getpid()}.part"):
        (tmp_path / name).symlink_to(victim)
    write_whole(tmp_path / "table.csv", b"new")
    require_writable(tmp_path)
    assert (tmp_path / "table.csv").read_bytes() == b"new"
    assert not (tmp_path / "table.csv").is_symlink()
    assert victim.exists() is not dangling
    assert dangling or victim.read_text() == "precious"


def test_what_a_killed_process_of_the_same_number_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / f"a.{os.getpid()}.part").write_bytes(b"a longer beginning of another file")
    write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]
