"""The bundled set, through the same door."""

import json

import pytest

from core.classes import CLASSES
from core.download import folder_status, unpack_demo
from core.download.events import Installed, Kept
from core.errors import ArgumentError
from tests.core.download.examples import contents, run, zip_of


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    installed = [event for event in unpack_demo(folder) if isinstance(event, Installed)]
    assert len(installed) == len(CLASSES) + 2  # statistics and classifier
    return folder


def test_all_classes_are_whole_and_recorded(unpacked):
    assert {status.state for status in folder_status(unpacked, thorough=True)} == {"whole"}
    assert {entry["source"] for entry in json.loads((unpacked / "manifest.json").read_text())["files"]} == {"demo"}


def test_again_only_what_is_damaged(unpacked):
    whole = (unpacked / "unet_DF_best.pth").read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    (unpacked / "unet_DF_best.pth").write_bytes(flipped)
    events = list(unpack_demo(unpacked))
    assert [event.name for event in events if isinstance(event, Installed)] == ["unet_DF_best.pth"]
    assert sum(isinstance(event, Kept) for event in events) == len(CLASSES) + 1
    assert (unpacked / "unet_DF_best.pth").read_bytes() == whole


def test_published_models_take_the_place_of_the_bundled_ones(unpacked, server, models, tmp_path):
    """Also where the program itself unpacked the set on its first start, which leaves no record."""
    for name in models:
        (tmp_path / name).write_bytes((unpacked / name).read_bytes())
    server.files["/m.zip"] = zip_of(models)
    run(f"{server.url}/m.zip", tmp_path)
    assert contents(tmp_path) == models


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(ArgumentError, match="not a folder"):
        list(unpack_demo(tmp_path / "x"))
