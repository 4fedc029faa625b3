"""A decoder may raise anything: every function that opens images takes it for a damaged image."""

from __future__ import annotations

import builtins
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from classification.data.fitzpatrick_table import look_at
from classification.data.pixel_cache import read_image as read_labelled
from classification.data.pixel_cache import size_of
from classification.events import discard
from core.errors import ArgumentError
from core.output.image_file import ImageFileError, read_parameters, read_pixels
from diffusion.cache import decode
from evaluation.features.image_loading import common_size, load_images
from tests.conftest import REAL_IMAGES
from xai.images import read_image

ERRORS = [
    kind
    for kind in (*vars(builtins).values(), struct.error, zlib.error)
    if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ in {"builtins", "struct", "zlib"}
    if kind is not Exception and not issubclass(kind, (Warning, StopAsyncIteration)) and "Group" not in kind.__name__
]
RAISED: list[type[Exception]] = []


def made(kind: type[Exception]) -> Exception:
    return kind("utf-8", b"x", 0, 1, "made up") if kind is UnicodeDecodeError else kind.__new__(kind)


class _AtOpening(ImageFile.ImageFile):
    format = "BROKEN"

    def _open(self) -> None:
        raise made(RAISED[0])


class _AtDecoding(ImageFile.ImageFile):
    format = "LATE"

    def _open(self) -> None:
        self._mode, self._size = "RGB", (40, 40)

    def load(self) -> None:
        raise made(RAISED[0])


@pytest.fixture(params=ERRORS, ids=lambda kind: kind.__name__)
def raised(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Decoders of this test's own, for files that begin with AT OPENING and AT DECODING."""
    Image.init()
    for name in ("OPEN", "ID"):
        monkeypatch.setattr(Image, name, getattr(Image, name).copy())
    Image.register_open("BROKEN", _AtOpening, lambda start: start.startswith(b"AT OPENING"))
    Image.register_open("LATE", _AtDecoding, lambda start: start.startswith(b"AT DECODING"))
    RAISED[:] = [request.param]
    yield
    RAISED.clear()


@pytest.mark.usefixtures("raised")
@pytest.mark.parametrize("start", [b"AT OPENING", b"AT DECODING"])
def test_whatever_a_decoder_raises_it_is_a_damaged_image(tmp_path: Path, start: bytes) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(start + b" and more than sixteen bytes")
    for read in (read_image, read_pixels, read_parameters):
        with pytest.raises(ImageFileError):
            read(file)
    with pytest.raises(ArgumentError):
        read_labelled(file, 16)
    assert decode(file, 16) is None
    assert look_at(tmp_path, [{"md5hash": "a"}], discard).broken.keys() == {"a"}
    if start == b"AT OPENING":
        with pytest.raises(ArgumentError):
            size_of(file)
    good = REAL_IMAGES / "images" / "ISIC_0024310.jpg"
    assert common_size([file, good], [good]) > 0
    work = load_images([file, good], 16, "images")
    try:
        while True:
            next(work)
    except StopIteration as end:
        pictures, kept = end.value
    assert kept == [1]
    assert np.asarray(pictures).shape == (1, 16, 16, 3)


def spoiled_dds(tmp_path: Path) -> Path:
    file = tmp_path / "a.png"
    Image.new("RGB", (40, 40)).save(file, format="DDS")
    data = bytearray(file.read_bytes())
    data[76:88] = struct.pack("<III", 32, 0x4, 0x31313131)  # a compression that nobody knows
    file.write_bytes(bytes(data))
    return file


def spoiled_avif(tmp_path: Path) -> Path:
    file = tmp_path / "b.png"
    Image.new("RGB", (40, 40)).save(file, format="AVIF")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return file


@pytest.mark.parametrize("spoil", [spoiled_dds, spoiled_avif])
def test_real_formats_with_real_damage_are_damaged_images(tmp_path: Path, spoil: object) -> None:
    file = spoil(tmp_path)  # type: ignore[operator]
    for read in (read_image, read_pixels):
        with pytest.raises(ImageFileError):
            read(file)
    assert decode(file, 16) is None
