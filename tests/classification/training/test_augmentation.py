from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from classification.training.augmentation import Augmentation, _strong
from classification.training.job import AUGMENTATIONS
from tests.conftest import REAL_IMAGES

with Image.open(next((REAL_IMAGES / "images").glob("*.jpg"))) as _opened:
    IMAGE = np.asarray(_opened.convert("RGB").resize((96, 96)))


@pytest.mark.parametrize("strength", AUGMENTATIONS)
def test_a_change_follows_from_its_seed(strength: str) -> None:
    first, again, other = (Augmentation(64, strength)(IMAGE, seed) for seed in (5, 5, 6))
    assert (first.shape, first.dtype) == ((64, 64, 3), np.uint8)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_strong_draws_each_change_for_itself() -> None:
    usual, strong = ([Augmentation(64, strength)(IMAGE, seed) for seed in range(16)] for strength in AUGMENTATIONS)
    differing = sum(not np.array_equal(one, other) for one, other in zip(usual, strong, strict=True))
    assert differing >= 14
    names = {type(change).__name__ for step in _strong() for change in getattr(step, "transforms", [step])}
    assert {"CLAHE", "ElasticTransform", "MotionBlur"} <= names
