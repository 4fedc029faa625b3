from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from core.classes import CLASSES
from evaluation.copy_detection.detector import PIXELS, CopyFindings, find_copies, judged
from evaluation.copy_detection.duplicates import find_duplicates
from evaluation.copy_detection.nearest_neighbours import Neighbours
from evaluation.copy_detection.thresholds import FALSE_COPIES, RATE, chance_of, threshold_of
from evaluation.features.extractors import ImageNetNetwork
from evaluation.features.image_listing import read_real
from evaluation.features.image_set import add_features, read_side
from evaluation.intervals import Share
from evaluation.progress import result_of
from tests.evaluation.examples import crop, image_set, lesion, recoloured, run_work

SPACES = {"noise": "features without information"}


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def reals() -> list[np.ndarray]:
    return [lesion(seed) for seed in range(70)]


def test_planted_copies_are_found_and_new_images_are_not_accused(reals: list[np.ndarray]) -> None:
    planted = [
        reals[3],
        reals[14][::-1],
        np.rot90(reals[25]),
        recoloured(reals[36]),
        crop(reals[47], 0.85, 0.2, 0.9),
        np.rot90(crop(reals[58], 0.7, 0.6, 0.3)),
    ]
    new = [lesion(seed) for seed in range(1000, 1010)]
    generated = image_set([*planted, *new], noise=noise(16, 1))
    real = image_set(reals, noise=noise(70, 0))
    found = result_of(find_copies(generated, real, SPACES, 45, 0))
    assert {suspicion.generated: suspicion.real for suspicion in found.copies} == dict(
        enumerate((3, 14, 25, 36, 47, 58))
    )
    assert found.is_evidence
    assert found.suspicious.hits == 6
    assert found.shares["pixels"][0].hits == 6
    assert found.control.value <= RATE
    listed = found.to_json(generated, real)["most_suspicious"]
    assert [pair["copy"] for pair in listed] == [True] * 6 + [False] * 10
    assert {pair["real"] for pair in listed[:6]} == {f"{index}.png" for index in (3, 14, 25, 36, 47, 58)}


@pytest.mark.full_data
def test_copies_of_patients_images_are_found_and_images_of_other_patients_are_not(tmp_path: Path) -> None:
    """Run the real networks on real images: 24 altered copies among 40 images of other lesions."""
    images = read_real(Path(os.environ["ISICGUI_DATA"]) / "ham10000_256", CLASSES).images
    by_lesion = {image.lesion_id: image for image in images}
    chosen = np.random.default_rng(0).permutation(sorted(by_lesion))[:240].tolist()
    known = result_of(read_side([by_lesion[lesion_id] for lesion_id in chosen[:200]], 128, "real images"))
    other = result_of(read_side([by_lesion[lesion_id] for lesion_id in chosen[200:]], 128, "others"))
    changes = [
        np.rot90,
        np.fliplr,
        recoloured,
        lambda one: crop(one, 0.85, 0.1, 0.8),
        lambda one: crop(one, 0.7, 0.9, 0.4),
    ]
    copies = [np.ascontiguousarray(changes[index % 5](known.pixels[index])) for index in range(24)]
    generated = image_set([*copies, *other.pixels])
    network = ImageNetNetwork(torch.device("cpu"))
    for one in (known, generated):
        result_of(add_features(one, network, tmp_path, "images"))
    found = result_of(find_copies(generated, known, {"imagenet": "", "texture": ""}, 200, 0))
    assert {suspicion.generated: suspicion.real for suspicion in found.ranking[:24]} == {n: n for n in range(24)}
    assert all(suspicion.excess > 0 for suspicion in found.ranking[:24])
    assert len(found.copies) >= 22
    assert sum(suspicion.excess > 0 for suspicion in found.ranking[24:]) <= 1
    assert not any(suspicion.is_copy for suspicion in found.ranking[24:])


def test_a_copy_in_features_alone_is_found(reals: list[np.ndarray]) -> None:
    features = noise(26, 2)
    new = [lesion(seed) for seed in range(2000, 2004)]
    generated = image_set(new, noise=np.concatenate([features[7:8], noise(3, 3)]))
    found = result_of(find_copies(generated, image_set(reals[:26], noise=features), SPACES, 26, 0))
    assert [(suspicion.generated, suspicion.real, suspicion.space) for suspicion in found.copies] == [(0, 7, "noise")]


def test_the_search_reports_its_progress(reals: list[np.ndarray]) -> None:
    """Each part counts its progress from 0; the overall progress must increase during every part."""
    generated, real = (
        image_set([lesion(seed) for seed in range(20)], noise=noise(20, 2)),
        image_set(reals, noise=noise(70, 0)),
    )
    _, progress, _ = run_work(find_copies(generated, real, SPACES, 45, 0))
    shares = [event.done / event.total for event in progress]
    assert shares == sorted(shares)
    by_set, by_control = ("Aligning images of the set with real images", "Aligning real images with real images")
    laid = {name: [event.done for event in progress if event.doing == name] for name in (by_set, by_control)}
    assert len(set(laid[by_set])) == 2  # of 20 images, every tenth
    assert len(set(laid[by_control])) == 5  # of 45
    assert 0.8 < shares[-1] <= 1


def test_images_of_one_lesion_are_not_a_control_for_each_other(reals: list[np.ndarray]) -> None:
    """Otherwise two photographs of each lesion would set the threshold and hide every copy."""
    real = image_set(reals[:26], noise=noise(26, 4))
    twice = [reals[index // 2] if index % 2 else np.rot90(reals[index // 2]) for index in range(26)]
    images = tuple(
        type(image)(image.path, image.class_name, f"lesion {index // 2}") for index, image in enumerate(real.images)
    )
    paired = type(real)(images, real.digests, np.stack([np.ascontiguousarray(one) for one in twice]), real.features)
    generated = image_set([reals[5], lesion(3000)], noise=noise(2, 5))
    found = result_of(find_copies(generated, paired, SPACES, 26, 0))
    assert [suspicion.generated for suspicion in found.copies] == [0]


@pytest.mark.parametrize("draw", ["exponential", "normal", "gumbel"])
def test_the_stated_rates_hold(draw: str) -> None:
    """Over many controls: the share of images flagged as suspicious, and the share of sets with a false copy."""
    rng = np.random.default_rng(0)
    accused, sets_with_copies = [], []
    for _ in range(200):
        control, clean = getattr(rng, draw)(size=500), getattr(rng, draw)(size=300)
        limit = threshold_of("pixels", control, 300, 3)
        accused.append(np.mean(clean > limit.suspicious))
        sets_with_copies.append(bool((clean > limit.copy).any()))
    assert np.mean(accused) <= RATE / 3 * 1.15
    assert limit.rate <= RATE / 3
    assert np.mean(sets_with_copies) <= 2 * FALSE_COPIES / 3


def found_in(of_set: np.ndarray, of_control: np.ndarray) -> CopyFindings:
    """Findings for given nearness values, (spaces, images) each; the last space is pixels."""
    names = [*(f"space {number}" for number in range(len(of_set) - 1)), PIXELS]
    sides = [
        {name: Neighbours(np.zeros((len(row), 1), int), row) for name, row in zip(names, side, strict=True)}
        for side in (of_set, of_control)
    ]
    return judged(*sides)


SIZES = (20, 50, 200, 400, 1000)


@pytest.mark.parametrize("spaces", [3, 4])
@pytest.mark.parametrize("size", SIZES)
def test_a_set_like_its_control_is_not_accused_however_small_the_control(size: int, spaces: int) -> None:
    """Independent spaces give the highest share of images suspicious in at least one; ``quick`` has 200 and 4."""
    rng = np.random.default_rng(size + spaces)
    runs = [found_in(rng.normal(size=(spaces, 700)), rng.normal(size=(spaces, size))) for _ in range(100)]
    assert np.mean([found.is_evidence for found in runs]) <= 0.05
    assert all(found.control.value <= found.rate for found in runs)
    assert np.mean([found.suspicious.value for found in runs]) == pytest.approx(runs[0].rate, rel=0.25)


@pytest.mark.parametrize("spaces", [3, 4])
@pytest.mark.parametrize("size", SIZES)
def test_one_exact_copy_is_found_however_small_the_control(size: int, spaces: int) -> None:
    rng = np.random.default_rng([size, spaces])
    of_set = rng.normal(size=(spaces, 700))
    of_set[-1, 7] = math.inf
    found = found_in(of_set, rng.normal(size=(spaces, size)))
    assert [suspicion.generated for suspicion in found.copies] == [7]
    assert found.is_evidence


@pytest.mark.parametrize("spaces", [3, 4])
@pytest.mark.parametrize("size", [200, 400, 1000])
def test_many_slightly_suspicious_images_are_found_together(size: int, spaces: int) -> None:
    """A tenth of the set; none of these images is near enough to be a copy."""
    rng = np.random.default_rng([size, spaces])
    for _ in range(20):
        of_set, of_control = rng.normal(size=(spaces, 700)), rng.normal(size=(spaces, size))
        of_set[0, :70] = of_control[0].max() + 1e-6
        found = found_in(np.minimum(of_set, of_control.max() + 1e-6), of_control)
        assert not found.copies
        assert found.is_evidence


def test_the_chance_of_a_number_of_suspicious_images_is_that_of_random_draws() -> None:
    """Independent spaces follow the distribution; identical spaces stay below it."""
    rng = np.random.default_rng(0)
    for copied, within in ((False, 1.0), (True, 0.5)):
        chances = []
        for _ in range(1000):
            of_set, of_control = (rng.normal(size=(3, count)) for count in (60, 40))
            if copied:
                of_set, of_control = (np.repeat(side[:1], 3, axis=0) for side in (of_set, of_control))
            hits = (of_set > of_control.max(axis=1)[:, None]).any(axis=0).sum()
            chances.append(chance_of(Share(int(hits), 60), 40, 3 / 41))
        assert np.mean(np.array(chances) <= 0.1) <= 0.1 * within * 1.2
    assert chance_of(Share(60, 60), 2, 1.0) == 1  # three images in three spaces cut off every block


def test_unlabelled_duplicates_in_the_control_hardly_move_the_thresholds() -> None:
    control = np.random.default_rng(1).exponential(size=1000)
    clean = threshold_of("a", control, 700, 3)
    dirty = threshold_of("a", np.concatenate([control[:-4], [16.0] * 4]), 700, 3)
    assert clean.suspicious < dirty.suspicious <= dirty.copy < clean.copy * 1.25


def test_a_small_control_has_a_higher_rate() -> None:
    limit = threshold_of("a", np.random.default_rng(0).exponential(size=19), 10, 1)
    assert limit.rate == pytest.approx(1 / 20)
    assert limit.copy < 16  # below the nearness of an exact copy


def test_shares_have_wilsons_interval() -> None:
    low, high = Share(1, 10).interval
    assert (low, high) == (pytest.approx(0.01788, abs=1e-4), pytest.approx(0.40415, abs=1e-4))
    assert Share(0, 0).interval == (0, 1)
    assert math.isnan(Share(0, 0).value)
    assert Share(0, 10).interval[0] == 0


def test_duplicates_in_a_set_are_counted(reals: list[np.ndarray]) -> None:
    new = [lesion(seed) for seed in range(4000, 4010)]
    generated = image_set([*new, new[0], new[1][:, ::-1], np.rot90(new[2])])
    found = result_of(find_duplicates(generated, image_set(reals), 70, 0))
    assert (found.equal.hits, found.similar.hits) == (2, 6)
    assert found.control.value <= 0.02
    assert {pair[:2] for pair in found.pairs[:3]} == {(0, 10), (1, 11), (2, 12)}
