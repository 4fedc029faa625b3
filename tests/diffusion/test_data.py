from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.classes import CLASSES
from diffusion.data import BalancedBatches, DataError, LabelledImage, load_pixels, read_ham10000, split_by_lesion
from tests.conftest import REAL_IMAGES


def test_a_ham10000_folder_is_read() -> None:
    images = read_ham10000(REAL_IMAGES)
    assert len(images) == 16
    assert {image.class_name for image in images} == set(CLASSES)
    assert all(image.path.is_file() for image in images)


def test_a_folder_without_its_table_or_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lesion_id"):
        read_ham10000(tmp_path)
    (tmp_path / "metadata.csv").write_text("lesion_id,image_id,dx\nHAM_1,ISIC_1,nv\n")
    with pytest.raises(DataError, match="none of them"):
        read_ham10000(tmp_path)


@given(st.lists(st.integers(0, 40), max_size=200))
def test_no_lesion_is_in_both_parts(lesions: list[int]) -> None:
    images = [LabelledImage(Path(f"{i}.jpg"), "NV", f"HAM_{lesion}") for i, lesion in enumerate(lesions)]
    training, held_out = split_by_lesion(images)
    assert not {image.lesion_id for image in training} & {image.lesion_id for image in held_out}
    assert sorted(image.path for image in training + held_out) == sorted(image.path for image in images)


def test_about_a_tenth_is_held_out() -> None:
    images = [LabelledImage(Path(f"{i}.jpg"), "NV", f"HAM_{i:07d}") for i in range(7470)]
    assert 0.08 < len(split_by_lesion(images)[1]) / len(images) < 0.12


def test_pixels_are_decoded_once(tmp_path: Path) -> None:
    images = read_ham10000(REAL_IMAGES)
    pixels = load_pixels(images, 32, tmp_path)
    with Image.open(images[3].path) as picture:
        expected = np.asarray(picture.convert("RGB").resize((32, 32), Image.Resampling.BOX))
    assert np.array_equal(pixels[3], expected)
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    load_pixels(images, 32, tmp_path)
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [before]
    load_pixels(images[:5], 32, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_interrupted_cache_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = read_ham10000(REAL_IMAGES)
    broken = [*images[:8], LabelledImage(tmp_path / "gone.jpg", "NV", "HAM_0")]
    with pytest.raises(FileNotFoundError):
        load_pixels(broken, 16, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.npy"))


def test_batches_follow_from_their_number_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    labels = [index % 7 for index in range(20)]
    one, other = (BalancedBatches(pixels, labels, 6, seed=3) for _ in range(2))
    other.batch(1)
    images, classes, generator = one.batch(5)
    again, classes_again, generator_again = other.batch(5)
    assert torch.equal(images, again)
    assert torch.equal(classes, classes_again)
    assert torch.equal(torch.randn(4, generator=generator), torch.randn(4, generator=generator_again))
    assert not torch.equal(images, one.batch(6)[0])
    assert images.shape == (6, 3, 8, 8)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert -1 <= images.min() < -0.5 < 0.5 < images.max() <= 1


def test_classes_are_balanced_by_the_square_root() -> None:
    labels = [0] * 900 + [1] * 100
    batches = BalancedBatches(np.zeros((1000, 2, 2, 3), np.uint8), labels, 4000, seed=0)
    share = float((batches.batch(0)[1] == 1).float().mean())
    assert abs(share - 10 / 40) < 0.03  # sqrt(100) of sqrt(100) + sqrt(900)


def test_images_are_turned_in_all_eight_ways() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    batches = BalancedBatches(pixels, [0], 400, seed=0)
    images, _, _ = batches.batch(0)
    assert len({tuple(image.flatten().tolist()) for image in images}) == 8


@pytest.mark.full_data
def test_the_whole_data_is_read_and_split_by_lesion() -> None:
    images = read_ham10000(Path(os.environ["ISICGUI_DATA"]) / "ham10000_256")
    counts = Counter(image.class_name for image in images)
    assert counts == {"NV": 5364, "MEL": 890, "BKL": 879, "BCC": 411, "AKIEC": 261, "VASC": 113, "DF": 92}
    training, held_out = split_by_lesion(images)
    assert len({image.lesion_id for image in images}) == 6288
    assert not {image.lesion_id for image in training} & {image.lesion_id for image in held_out}
    assert {image.class_name for image in held_out} == set(CLASSES)
