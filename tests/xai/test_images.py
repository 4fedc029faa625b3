"""Images of any source: grey, transparent, 16 bit, rotated, huge, damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.output.image_file import ImageFileError
from tests.conftest import REAL_IMAGES
from xai.images import read_image


def full(value: float, dtype: type, *channels: int) -> np.ndarray:
    return np.full((5, 7, *channels), value, dtype)


@pytest.mark.parametrize(
    ("name", "pixels", "expected"),
    [
        ("grey.png", full(200, np.uint8), 200),
        ("rgb.png", full(90, np.uint8, 3), 90),
        ("deep.png", full(40000, np.uint16), 156),
        ("deep_but_dark.png", full(200, np.uint16), 200),
        ("integers.tif", full(65535, np.int32), 255),
        ("fractions.tif", full(0.5, np.float32), 128),
        ("not_a_number.tif", full(np.nan, np.float32), 0),
        ("clear.png", full(0, np.uint8, 4), 255),
        ("grey_half_clear.png", full(128, np.uint8, 2), 191),
    ],
)
def test_every_kind_becomes_eight_bits_of_rgb(tmp_path: Path, name: str, pixels: np.ndarray, expected: int) -> None:
    Image.fromarray(pixels).save(tmp_path / name)
    found = read_image(tmp_path / name)
    assert (found.shape, found.dtype) == ((5, 7, 3), np.uint8)
    assert np.unique(found).tolist() == [expected]


def test_palette_bitmap_and_cmyk_look_as_in_a_viewer(tmp_path: Path) -> None:
    Image.new("CMYK", (4, 3), (0, 0, 0, 0)).save(tmp_path / "print.jpg")
    Image.new("1", (4, 3), 1).save(tmp_path / "bitmap.png")
    palette = Image.new("P", (4, 3), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(tmp_path / "palette.gif")
    assert np.unique(read_image(tmp_path / "print.jpg")).tolist() == [255]
    assert np.unique(read_image(tmp_path / "bitmap.png")).tolist() == [255]
    assert read_image(tmp_path / "palette.gif")[0, 0].tolist() == [10, 20, 30]


def test_a_rotated_photograph_is_turned_upright(tmp_path: Path) -> None:
    picture = Image.new("RGB", (6, 2), "red")
    exif = picture.getexif()
    exif[0x0112] = 6  # a quarter turn
    picture.save(tmp_path / "turned.png", exif=exif)
    assert read_image(tmp_path / "turned.png").shape == (6, 2, 3)


def test_a_real_image_is_read_unchanged() -> None:
    file = REAL_IMAGES / "images" / "ISIC_0024310.jpg"
    with Image.open(file) as image:
        assert np.array_equal(read_image(file), np.asarray(image))


def test_a_large_image_is_read_and_a_too_large_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (150, 100)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    assert read_image(tmp_path / "large.png").shape == (100, 150, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5_000)
    with pytest.raises(ImageFileError, match="million pixels; make it smaller"):
        read_image(tmp_path / "large.png")


def test_a_file_that_is_not_an_image_is_reported(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not an image")
    whole = (REAL_IMAGES / "images" / "ISIC_0024310.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    for name in ("text.png", "half.jpg"):
        with pytest.raises(ImageFileError, match="is not a readable image"):
            read_image(tmp_path / name)
    with pytest.raises(ImageFileError, match="There is no image"):
        read_image(tmp_path / "nowhere.png")
