from __future__ import annotations

import errno
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from classification.data.collection import open_collection
from classification.data.pixel_cache import Pixels, decode, left_out, read_image, size_of
from core.errors import ArgumentError, JobFailedError
from tests.classification.conftest import write_damaged_png
from tests.conftest import REAL_IMAGES

IMAGES = open_collection(REAL_IMAGES).images


def test_images_look_as_the_explanations_prepare_them(tmp_path: Path) -> None:
    from xai.classifier import prepare

    with Image.open(IMAGES[0].path) as image:
        expected = prepare(np.asarray(image.convert("RGB")))[0].permute(1, 2, 0).numpy()
    assert np.array_equal(read_image(IMAGES[0].path, 224), (expected * 255).round().astype(np.uint8))


def test_images_are_decoded_once(tmp_path: Path) -> None:
    file = decode(IMAGES, 16, tmp_path)
    assert np.array_equal(Pixels((file.path,))[3], read_image(IMAGES[3].path, 16))
    before = file.path.stat().st_mtime_ns
    assert decode(IMAGES, 16, tmp_path) == file
    assert file.path.stat().st_mtime_ns == before
    assert list(tmp_path.glob("*.npy")) == [file.path]


def test_a_changed_image_is_decoded_again(tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    Image.new("RGB", (8, 8), (10, 20, 30)).save(file)
    image = replace(IMAGES[0], path=file)
    first = decode([image], 8, tmp_path / "cache")
    Image.new("RGB", (8, 8), (200, 100, 90)).save(file)
    second = decode([image], 8, tmp_path / "cache")
    assert first != second
    assert Pixels((second.path,))[0][0, 0].tolist() == [200, 100, 90]


def test_a_broken_image_is_named_and_leaves_a_black_one_in_its_place(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(IMAGES[0].path.read_bytes()[:900])
    gone = replace(IMAGES[0], path=tmp_path / "gone.jpg")
    images = [IMAGES[0], replace(IMAGES[0], path=broken), IMAGES[1], gone]
    for _ in range(2):  # as written, and as found again
        file = decode(images, 16, tmp_path / "cache")
        assert file.damaged == {1, 3}
        pixels = Pixels((file.path,))
        assert not pixels[1].any()
        assert np.array_equal(pixels[2], read_image(IMAGES[1].path, 16))
    assert left_out(images[1::2], "images") == "2 images cannot be read and are left out: broken.jpg, gone.jpg."


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    file = decode(IMAGES[:4], 16, tmp_path).path
    whole = file.read_bytes()
    flipped = whole[:500] + bytes([whole[500] ^ 1]) + whole[501:]
    for spoiled in (whole[:-1], flipped, b"", whole.replace(b"(4, 16", b"(9, 16")):
        file.write_bytes(spoiled)
        assert decode(IMAGES[:4], 16, tmp_path).path.read_bytes() == whole


def test_every_kind_of_damaged_image_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentError, match=r"damaged\.png is not a readable image"):
        read_image(write_damaged_png(tmp_path / "damaged.png"), 16)
    empty = tmp_path / "empty.jpg"
    empty.touch()
    with pytest.raises(ArgumentError, match=r"empty\.jpg is not a readable image"):
        size_of(empty)
    with Image.open(IMAGES[0].path) as image:
        assert size_of(IMAGES[0].path) == image.size
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for read in (size_of, lambda path: read_image(path, 16)):
        with pytest.raises(ArgumentError, match="is not a readable image"):
            read(IMAGES[0].path)


def test_several_files_are_indexed_as_one_and_a_worker_receives_only_their_names(tmp_path: Path) -> None:
    pixels = Pixels((decode(IMAGES[:5], 64, tmp_path).path, decode(IMAGES[5:], 64, tmp_path).path))
    assert len(pixels) == 16
    for index in (0, 4, 5, 15):
        assert np.array_equal(pixels[index], read_image(IMAGES[index].path, 64))
    sent = pickle.dumps(pixels)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent)[7], pixels[7])  # noqa: S301 - written above


def test_a_cache_that_cannot_be_written_is_reported_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(JobFailedError, match=r"cannot be written to .*No space left.*--cache"):
        decode(IMAGES[:2], 16, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(JobFailedError, match="another folder with --cache"):
        decode(IMAGES[:2], 16, tmp_path / "file")
