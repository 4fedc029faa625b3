from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import JobFailedError
from core.paths import PROJECT_ROOT
from diffusion.cache import decode, load_pixels
from diffusion.data import DataError, LabelledImage
from diffusion.tables import read_images
from tests.conftest import REAL_IMAGES

IMAGES = read_images(REAL_IMAGES).images


def files(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("pixels*")}


def test_pixels_are_decoded_once(tmp_path: Path) -> None:
    pixels = load_pixels(IMAGES, 64, tmp_path)
    with Image.open(IMAGES[3].path) as picture:
        expected = np.asarray(picture.convert("RGB").resize((64, 64), Image.Resampling.BOX))
    assert np.array_equal(pixels.array[3], expected)
    assert pixels.images == IMAGES
    before = files(tmp_path)
    load_pixels(IMAGES, 64, tmp_path)
    assert files(tmp_path) == before
    load_pixels(IMAGES[:5], 64, tmp_path)
    assert len(files(tmp_path)) == 2 * len(before)


def test_images_of_other_shapes_keep_their_proportions(tmp_path: Path) -> None:
    """The central square of a wide image; a circle stays a circle."""
    wide = np.zeros((60, 100, 3), np.uint8)
    rows, columns = np.mgrid[:60, :100]
    wide[(rows - 30) ** 2 + (columns - 50) ** 2 < 20**2] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    decoded = decode(tmp_path / "wide.png", 30)
    assert decoded is not None
    lit = decoded[..., 0] > 127
    assert lit.any(axis=0).sum() == lit.any(axis=1).sum() == 20
    larger = decode(tmp_path / "wide.png", 120)
    assert larger is not None
    assert larger.shape == (120, 120, 3)


def test_grey_and_transparent_images_are_read_too(tmp_path: Path) -> None:
    for mode in ("L", "RGBA", "P", "CMYK"):
        file = tmp_path / f"{mode}.tif"
        Image.new(mode, (40, 40)).save(file)
        assert decode(file, 16) is not None


def test_files_that_are_no_images_are_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(IMAGES[0].path.read_bytes()[:3000])
    (tmp_path / "text.png").write_text("not an image")
    bad = [LabelledImage(tmp_path / name, "NV", name) for name in ("broken.jpg", "text.png", "gone.jpg")]
    mixed = [bad[0], *IMAGES[:3], *bad[1:], IMAGES[3]]
    for _ in range(2):  # as written, and as read back
        pixels = load_pixels(mixed, 32, tmp_path / "cache")
        assert pixels.images == IMAGES[:4]
        assert pixels.unreadable == ["broken.jpg", "text.png", "gone.jpg"]
        assert np.array_equal(pixels.array, load_pixels(IMAGES[:4], 32, tmp_path / "cache").array)
    with pytest.raises(DataError, match="None of the 3 images can be read"):
        load_pixels(bad, 32, tmp_path / "cache")


def test_a_cache_that_was_cut_short_is_made_again(tmp_path: Path) -> None:
    whole = load_pixels(IMAGES, 32, tmp_path).array.copy()
    (file,) = tmp_path.glob("pixels*.npy")
    os.truncate(file, file.stat().st_size - 1000)
    assert np.array_equal(load_pixels(IMAGES, 32, tmp_path).array, whole)
    next(tmp_path.glob("pixels*.json")).unlink()
    assert np.array_equal(load_pixels(IMAGES, 32, tmp_path).array, whole)


def test_an_image_that_has_changed_is_decoded_again(tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    Image.new("RGB", (32, 32), "white").save(file)
    image = LabelledImage(file, "NV", "one")
    assert load_pixels([image], 16, tmp_path).array.min() == 255
    Image.new("RGB", (32, 32), "black").save(file)
    os.utime(file, (0, 0))
    assert load_pixels([image], 16, tmp_path).array.max() == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_cache_whose_writer_was_killed_heals(tmp_path: Path) -> None:
    """Killed while it decodes the same images over and over; then the real thing leaves nothing half done behind."""
    script = f"""
from pathlib import Path
from diffusion import cache
from diffusion.tables import read_images
images = read_images(Path({str(REAL_IMAGES)!r})).images
real = cache._decoded
def endless(kind, images, size):
    yield from real(kind, images, size)
    while True:
        yield None
cache._decoded = endless
cache.load_pixels(images, 32, Path({str(tmp_path)!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT_ROOT)
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("*.part")) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(tmp_path.glob("*.part"))
    assert len(load_pixels(IMAGES, 32, tmp_path).images) == 16
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of files")
def test_a_full_disk_is_an_error_that_leaves_nothing(tmp_path: Path) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(JobFailedError, match="cannot be kept in"):
            load_pixels(IMAGES, 64, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not files(tmp_path)
