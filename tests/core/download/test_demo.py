"""The bundled set, through the same door."""

import errno
import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from filelock import Timeout

from core.download import folder_status, unpack_demo
from core.download.events import Installed, Kept
from core.download.manifest import changing_manifest
from core.errors import ArgumentError
from core.generation.events import Notice
from core.io import folder_lock as folder_lock_module
from core.io.folder_lock import folder_lock
from core.models.demo_set import bundled_names
from tests.core.download.examples import contents, run, zip_of


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    installed = [event for event in unpack_demo(folder) if isinstance(event, Installed)]
    assert len(installed) == len(bundled_names())
    return folder


@pytest.fixture
def folder(unpacked, tmp_path):
    return shutil.copytree(unpacked, tmp_path / "models")


def flipped(data):
    """As a tired disk gives it back."""
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    return bytes(changed)


def weights(*values):
    stream = io.BytesIO()
    torch.save({"fc.bias": torch.tensor(values)}, stream)
    return stream.getvalue()


def names(kind, events):
    return [event.name for event in events if isinstance(event, kind)]


def texts(events):
    return [event.text for event in events if isinstance(event, Notice)]


def test_all_classes_are_whole_and_recorded(unpacked):
    assert {status.state for status in folder_status(unpacked, thorough=True)} == {"whole"}
    assert {entry["source"] for entry in json.loads((unpacked / "manifest.json").read_text())["files"]} == {"demo"}


def test_again_only_what_is_damaged(folder):
    file = folder / "unet_DF_best.pth"
    whole = file.read_bytes()
    file.write_bytes(flipped(whole))
    events = list(unpack_demo(folder))
    assert names(Installed, events) == ["unet_DF_best.pth"]
    assert len(names(Kept, events)) == len(bundled_names()) - 1
    assert file.read_bytes() == whole


def test_what_gives_way_is_set_aside_each_time_under_a_name_of_its_own(folder):
    file = folder / "unet_DF_best.pth"
    before = contents(folder)
    for name in ("unet_DF_best.pth.bak", "unet_DF_best.pth.2.bak"):
        file.write_bytes(flipped(before["unet_DF_best.pth"]) + name.encode())
        before[name] = file.read_bytes()
        assert [text for text in texts(unpack_demo(folder)) if text.endswith(f"is kept as {name}.")]
    assert contents(folder) == before


def test_the_users_own_models_stay(folder, checkpoints):
    """The user's models replace recorded files. Their internal checksums show that they are not damaged."""
    mine = {"unet_MEL_best.pth": checkpoints["unet_MEL_best.pth"], "classifier.pth": weights(1.0, 2.0)}
    for name, data in mine.items():
        (folder / name).write_bytes(data)
    before = contents(folder)
    events = list(unpack_demo(folder))
    assert contents(folder) == before
    assert names(Installed, events) == texts(events) == []
    assert {event.name for event in events if isinstance(event, Kept) and "--force" in event.reason} == set(mine)
    assert {status.state for status in folder_status(folder, thorough=True)} == {"whole", "unrecorded"}
    list(unpack_demo(folder))
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("name", "mine", "recorded"),
    [
        ("classifier.pth", b"\x80\x02cos\nsystem\n.", True),
        ("classifier.pth", b"\x80\x02cos\nsystem\n.", False),
    ],
    ids=["a pickled network", "a pickled network without a record"],
)
def test_files_that_may_belong_to_the_user_are_never_deleted(folder, name, mine, recorded):
    before = contents(folder)
    (folder / name).write_bytes(mine)
    if not recorded:
        (folder / "manifest.json").unlink()
    assert texts(unpack_demo(folder)) == [
        f"{name} is replaced by the demonstration set; the previous file is kept as {name}.bak."
    ]
    assert contents(folder) == {**before, name + ".bak": mine}


@pytest.mark.parametrize("recorded", [True, False])
def test_force_replaces_the_set_and_sets_aside_what_is_none_of_it(folder, recorded):
    before = contents(folder)
    mine = weights(1.0)
    (folder / "classifier.pth").write_bytes(mine)
    if not recorded:  # as after the first start of the program
        (folder / "manifest.json").unlink()
    events = list(unpack_demo(folder, force=True))
    assert len(names(Installed, events)) == len(bundled_names())
    assert contents(folder) == {**before, "classifier.pth.bak": mine}


def test_nothing_gives_way_in_a_folder_that_another_keeps(folder, monkeypatch):
    before = contents(folder)
    monkeypatch.setattr(folder_lock_module, "WAIT_S", 0.1)
    with folder_lock(folder), pytest.raises(Timeout):
        list(unpack_demo(folder, force=True))
    assert contents(folder) == before


def test_a_manifest_that_cannot_be_read_just_now_is_not_written_over(folder, monkeypatch):
    before = (folder / "manifest.json").read_bytes()
    read = Path.read_bytes

    def fail(path):
        if path.name == "manifest.json":
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Input/output"), changing_manifest(folder) as manifest:
        manifest.files.clear()
    monkeypatch.undo()
    assert (folder / "manifest.json").read_bytes() == before


def test_published_models_take_the_place_of_the_bundled_ones(unpacked, server, models, tmp_path):
    """Also where the program itself unpacked the set on its first start, which leaves no record."""
    for name in models:
        if (unpacked / name).is_file():  # the bundled set has no colour statistics
            (tmp_path / name).write_bytes((unpacked / name).read_bytes())
    server.files["/m.zip"] = zip_of(models)
    run(f"{server.url}/m.zip", tmp_path)
    assert contents(tmp_path) == models


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(ArgumentError, match="not a folder"):
        list(unpack_demo(tmp_path / "x"))
