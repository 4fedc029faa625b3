from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from evaluation.features.image_loading import common_size, load_images, resized
from tests.evaluation.examples import run_work


def test_resizing_does_not_alias() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resized(stripes, 64)
    assert small.shape == (64, 64, 3)
    assert np.abs(small[:, 4:-4].astype(int) - 127.5).max() <= 2  # taking every fourth column would give black


def test_an_image_becomes_a_square_and_a_fitting_image_is_unchanged() -> None:
    wide = np.random.default_rng(0).integers(0, 255, (30, 60, 3), np.uint8)
    assert resized(wide, 32).shape == (32, 32, 3)
    square = wide[:, :30]
    assert resized(square, 30) is square


def test_sets_of_different_sizes_are_compared_at_the_smaller_size(tmp_path: Path) -> None:
    for size in (40, 64, 300, 600):
        Image.new("RGB", (size + 20, size)).save(tmp_path / f"{size}.png")
    paths = {size: tmp_path / f"{size}.png" for size in (40, 64, 300, 600)}
    assert common_size([paths[64]], [paths[600]]) == 64
    assert common_size([paths[300]], [paths[600]]) == 256
    assert common_size([paths[40], paths[64], paths[64]], [paths[300]]) == 64  # the median decides, not one small image
    assert common_size([tmp_path / "nothing.png"], [paths[64]]) == 64


def test_unreadable_images_are_named_and_grey_images_are_counted(tmp_path: Path) -> None:
    Image.new("L", (20, 20), 90).save(tmp_path / "grey.png")
    Image.new("RGB", (20, 20), (200, 90, 80)).save(tmp_path / "colour.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    paths = [tmp_path / f"{name}.png" for name in ("grey", "broken", "colour", "gone")]
    (pixels, kept), progress, warnings = run_work(load_images(paths, 16, "images"))
    assert kept == [0, 2]
    assert pixels.shape == (2, 16, 16, 3)
    assert pixels[0].max() == pixels[0].min() == 90
    assert pixels[1, 0, 0].tolist() == [200, 90, 80]
    folder = tmp_path.name
    assert warnings[0] == f"2 of 4 images cannot be read and are left out: {folder}/broken.png, {folder}/gone.png."
    assert warnings[1] == "1 of 2 images are grey; they are measured unchanged."
    assert progress[0].total == 4
