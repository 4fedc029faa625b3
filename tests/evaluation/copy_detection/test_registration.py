from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.copy_detection.band_pass import orient, orientations, unit
from evaluation.copy_detection.nearest_neighbours import nearest_features, nearest_pixels, small_parts
from evaluation.copy_detection.registration import best_match, canonical_correlation, coarse_fields
from evaluation.features.image_loading import resized
from evaluation.progress import result_of
from tests.conftest import REAL_IMAGES
from tests.evaluation.examples import crop, recoloured

FOUND = 0.95  # copies reach this correlation; other lesions stay clearly below


@pytest.fixture(scope="module")
def real() -> np.ndarray:
    """Sixteen real dermoscopic images."""
    files = sorted((REAL_IMAGES / "images").glob("*.jpg"))
    return np.stack([resized(np.asarray(Image.open(file).convert("RGB")), 128) for file in files])


COPIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exact": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "turned": lambda image: np.rot90(image, 3),
    "recoloured": recoloured,
    "darker": lambda image: (image * 0.6).astype(np.uint8),
    "large part": lambda image: crop(image, 0.83, 0.3, 0.9),
    "small part, turned": lambda image: np.rot90(crop(image, 0.66, 0.8, 0.2)),
    "as JPEG": lambda image: resized(resized(image, 90), 128),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_aligned_with_its_origin(real: np.ndarray, kind: str) -> None:
    for index in (0, 7, 12):
        match = best_match(np.ascontiguousarray(COPIES[kind](real[index])), real, coarse_fields(real))
        assert match.index == index
        assert match.correlation > FOUND


def test_other_lesions_do_not_match(real: np.ndarray) -> None:
    for index in range(0, 16, 3):
        others = np.delete(real, index, axis=0)
        assert best_match(real[index], others, coarse_fields(others)).correlation < 0.85


def test_flat_images_match_nothing() -> None:
    flat = np.full((2, 64, 64, 3), 120, np.uint8)
    assert best_match(flat[0], flat, coarse_fields(flat)).correlation == 0


@pytest.mark.parametrize("kind", ["exact", "mirrored", "turned", "recoloured", "large part"])
def test_small_pixels_rank_the_origin_among_the_first(real: np.ndarray, kind: str) -> None:
    parts = result_of(small_parts(real))
    pixels = [np.ascontiguousarray(COPIES[kind](image)) for image in real]
    found = result_of(nearest_pixels(pixels, parts, None, 5))
    assert np.mean([index in found[index] for index in range(16)]) >= 15 / 16
    allowed = ~np.eye(16, dtype=bool)
    assert all(index not in row for index, row in enumerate(result_of(nearest_pixels(pixels, parts, allowed, 15))))


def test_each_of_the_eight_orientations_occurs_once() -> None:
    tile = torch.arange(9.0).view(3, 3)
    forms = {tuple(form.flatten().tolist()) for form in orientations(tile)}
    assert len(forms) == 8
    assert tuple(tile.T.flatten().tolist()) in forms
    for number, form in enumerate(orientations(tile)):
        assert np.array_equal(orient(tile.numpy(), number), form.numpy())
    tiles = unit(orientations(tile))
    assert tiles.mean(dim=(1, 2)).abs().max() < 1e-6
    assert (tiles.flatten(1).norm(dim=1) - 1).abs().max() < 1e-5


def test_nearness_of_features_is_relative_to_the_neighbourhood() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(200, 8)).astype(np.float32)
    query = np.stack([reference[5] * 3, reference[9] + 0.01, rng.normal(size=8)]).astype(np.float32)
    found = nearest_features(query, reference, None, 2)
    assert found.indices[:2, 0].tolist() == [5, 9]
    assert found.nearness[0] == np.inf  # the length of a feature vector does not matter
    assert found.nearness[1] > 2 > found.nearness[2]
    rows = reference / np.linalg.norm(reference, axis=1, keepdims=True)
    distances = np.sort(np.linalg.norm(rows - query[2] / np.linalg.norm(query[2]), axis=1))
    assert found.nearness[2] == pytest.approx(-np.log(distances[0] / distances[1:51].mean()), abs=1e-4)
    allowed = np.ones((3, 200), bool)
    allowed[0, 5] = False
    assert 5 not in nearest_features(query, reference, allowed, 60).indices[0]


def test_canonical_correlation_sees_through_any_affine_change() -> None:
    rng = np.random.default_rng(1)
    first = torch.from_numpy(rng.normal(size=(500, 3)))
    assert canonical_correlation(first, first @ torch.from_numpy(rng.normal(size=(3, 3))) + 7) == pytest.approx(1)
    assert canonical_correlation(first, torch.from_numpy(rng.normal(size=(500, 3)))) < 0.2
    assert canonical_correlation(first, torch.ones(500, 3, dtype=torch.float64)) == 0
    single = torch.from_numpy(rng.normal(size=(500, 1)))
    noisy = single + torch.from_numpy(rng.normal(size=(500, 1)))
    expected = abs(np.corrcoef(single.flatten(), noisy.flatten())[0, 1])
    assert canonical_correlation(single, noisy) == pytest.approx(expected)
