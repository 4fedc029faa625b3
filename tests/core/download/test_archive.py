"""Zip archives from strangers."""

import io
import stat
import struct
import warnings
import zipfile

import pytest

from core.download.archive import Limits, list_members, own_checksums_hold, plain_name, unpack
from core.download.http import SpoiledError
from core.errors import DownloadError
from tests.core.download.examples import zip_of


@pytest.fixture
def written(tmp_path):
    def write(*members, packing=zipfile.ZIP_DEFLATED):
        path = tmp_path / "a.zip"
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w", packing) as archive:
            warnings.simplefilter("ignore")
            for member, data in members:
                archive.writestr(member, data)
        return path

    return write


@pytest.mark.parametrize(
    "name",
    [
        "../evil.pth",
        "a/../../evil.pth",
        "/etc/evil.pth",
        "..\\evil.pth",
        "C:\\evil.pth",
        "C:evil.pth",
        "\\\\host\\s\\e",
    ],
)
def test_paths_that_leave_the_folder_are_refused(written, name):
    with pytest.raises(DownloadError, match="outside the folder"):
        list_members(written(("unet_MEL_best.pth", b"x"), (name, b"x")))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(written, kind):
    member = zipfile.ZipInfo("unet_MEL_best.pth")
    member.external_attr = (kind | 0o777) << 16
    with pytest.raises(DownloadError, match="link or a device"):
        list_members(written((member, b"/etc/passwd")))


def test_a_bomb_is_refused_unopened(written):
    with pytest.raises(DownloadError, match="would grow from"):
        list_members(written(("unet_MEL_best.pth", bytes(8 << 20))))
    many = written(*[(f"f{number}.txt", b"") for number in range(12)])
    with pytest.raises(DownloadError, match="contains 12 files"):
        list_members(many, Limits(members=10))
    with pytest.raises(DownloadError, match="GB in total"):
        list_members(written(("a.txt", b"12345678")), Limits(total_bytes=7))


def test_a_bomb_that_lies_about_its_size_is_cut_there(written, tmp_path):
    path = written(("unet_MEL_best.pth", bytes(8 << 20)))
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    for at in (central + 24, 22):  # the size after unpacking, in the directory and before the member
        data[at : at + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    member = list_members(path)[0]
    with pytest.raises(SpoiledError):
        list(unpack(path, member, tmp_path / "out"))
    assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size <= 1000


def test_encrypted_members_and_unsupported_compressions_are_refused(written):
    with pytest.raises(DownloadError, match="encrypted or uses an unsupported"):
        list_members(written(("a.txt", b"x" * 100), packing=zipfile.ZIP_LZMA))
    for flag in (0x1, 0x20, 0x40):  # encrypted, a patch, strongly encrypted
        path = written(("a.txt", b"x"))
        data = bytearray(path.read_bytes())
        data[data.rindex(b"PK\x01\x02") + 8] |= flag
        path.write_bytes(data)
        with pytest.raises(DownloadError, match="encrypted or uses an unsupported"):
            list_members(path)


def test_two_files_of_one_name_are_refused(written):
    with pytest.raises(DownloadError, match=r"two files with the name a\.txt"):
        list_members(written(("x/a.txt", b"1"), ("y/A.TXT", b"2")))


def test_folders_and_notes_are_left_out_and_windows_paths_understood(written):
    path = written(("set/", b""), ("__MACOSX/._a.txt", b""), (".DS_Store", b""), ("set\\b.txt", b"b"))
    assert [plain_name(member) for member in list_members(path)] == ["b.txt"]


def test_an_incomplete_archive_and_a_file_that_is_not_an_archive(written, tmp_path):
    path = written(("a.txt", b"x" * 1000))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SpoiledError, match="it is incomplete"):
        list_members(path)
    path.write_bytes(b"<!doctype html><title>Quota exceeded</title>")
    with pytest.raises(DownloadError, match="Quota exceeded"):
        list_members(path)


def test_a_damaged_member_is_detected_by_its_checksum(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", b"0123456789" * 100)
    data = bytearray(stream.getvalue())
    data[500] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SpoiledError, match=r"a\.txt is damaged"):
        list(unpack(tmp_path / "a.zip", list_members(tmp_path / "a.zip")[0], tmp_path / "out"))


def test_an_archive_that_ends_after_a_checkpoint_is_not_read_as_the_checkpoint(tmp_path, models):
    data = zip_of(models)
    end_of_first = data.index(b"PK\x05\x06") + 22
    (tmp_path / "a.zip").write_bytes(data[:end_of_first])
    assert zipfile.is_zipfile(tmp_path / "a.zip")
    with pytest.raises(SpoiledError, match="not a complete zip archive"):
        list_members(tmp_path / "a.zip")


def test_a_file_proves_itself_by_its_own_checksums(written):
    path = written(("a.txt", b"0123456789" * 100), packing=zipfile.ZIP_STORED)
    whole = path.read_bytes()
    assert own_checksums_hold(path)
    central = whole.rindex(b"PK\x01\x02")
    for at, bit in [(500, 0x1), (central + 8, 0x1), (central + 8, 0x40), (central + 16, 0x1), (central, 0x1)]:
        data = bytearray(whole)
        data[at] ^= bit
        path.write_bytes(data)
        assert not own_checksums_hold(path)
    path.write_bytes(b"{}")
    assert not own_checksums_hold(path)
