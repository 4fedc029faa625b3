"""The causal check in cases where the fall of the score is known for every region."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.xai.networks import Linear, classifier_of
from xai.baselines import mean_skin
from xai.causal import CausalCheck, CausalSettings, causal_check, holm
from xai.interventions import INTERVENTIONS, region_masks
from xai.scoring import Score, logit_of

TARGET, GRID, K = 2, 7, 10
SETTINGS = CausalSettings(repeats=1)


@pytest.fixture(scope="module")
def contributions(image: torch.Tensor) -> np.ndarray:
    """Return the contribution of every pixel to the linear classifier, relative to the colour of the skin."""
    return Linear().contributions(image, mean_skin(image), TARGET).numpy()


@pytest.fixture(scope="module")
def score() -> Score:
    return logit_of(classifier_of(Linear()), TARGET, 16)


@pytest.fixture(scope="module")
def faithful(image: torch.Tensor, contributions: np.ndarray, score: Score) -> CausalCheck:
    return causal_check(image, contributions, score, SETTINGS)


def by_region(values: np.ndarray) -> np.ndarray:
    return values.reshape(GRID, 32, GRID, 32).sum(axis=(1, 3)).ravel()


def test_a_region_falls_by_what_it_contributes(faithful: CausalCheck, contributions: np.ndarray) -> None:
    known = by_region(contributions)
    shift = faithful.shifts["constant"]
    assert shift.falls == pytest.approx(known, abs=2e-3)
    order = np.argsort(-known)
    assert shift.index == pytest.approx(known[order[:K]].mean() - known[order[-K:]].mean(), abs=1e-3)
    assert shift.rank_correlation == pytest.approx(1, abs=0.01)


def test_a_faithful_map_passes_and_the_reversed_one_fails(
    image: torch.Tensor, contributions: np.ndarray, score: Score, faithful: CausalCheck
) -> None:
    good = faithful.shifts["constant"]
    bad = causal_check(image, -contributions, score, SETTINGS).shifts["constant"]
    assert good.permutation_p == pytest.approx(1 / 10_000)  # the smallest that 9999 relabellings can show
    assert good.welch_p is not None
    assert good.welch_p < 0.001
    assert good.interval[0] > good.control[2] > 0 > good.control[1]
    assert bad.index == pytest.approx(-good.index)
    assert bad.permutation_p > 0.99


def test_a_random_map_is_no_better_than_random_regions(image: torch.Tensor, score: Score) -> None:
    values = np.random.default_rng(5).normal(size=(GRID, GRID)).repeat(32, 0).repeat(32, 1)
    for shift in causal_check(image, values, score, SETTINGS).shifts.values():
        assert shift.permutation_p > 0.02
        assert shift.control[1] * 1.5 < shift.index < shift.control[2] * 1.5


def test_only_the_region_that_matters_falls(image: torch.Tensor) -> None:
    def score(images: torch.Tensor) -> torch.Tensor:  # the red of the region in row 1, column 2
        return images[:, 0, 32:64, 64:96].mean(dim=(1, 2))

    shifts = causal_check(image, np.zeros((224, 224)), score, SETTINGS).shifts
    for name in ("noise", "blur", "constant"):
        assert np.flatnonzero(np.abs(shifts[name].falls) > 1e-6).tolist() == [1 * GRID + 2]
    assert shifts["shuffle"].falls == pytest.approx(np.zeros(49), abs=1e-6)  # the mean does not depend on the order


def test_a_score_that_never_moves_has_no_significance(image: torch.Tensor) -> None:
    check = causal_check(image, np.zeros((224, 224)), lambda images: torch.ones(len(images)), SETTINGS)
    for shift in check.shifts.values():
        assert (shift.index, shift.interval) == (0, (0, 0))
        assert (shift.welch_t, shift.welch_p, shift.rank_correlation) == (None, None, None)
        assert shift.permutation_p == 1


def test_interventions_stay_within_images_and_keep_what_they_should(image: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    spoilt = {name: function(image, GRID, generator) for name, function in INTERVENTIONS.items()}
    for picture in spoilt.values():
        assert picture.shape == image.shape
        assert 0 <= picture.min() <= picture.max() <= 1
        assert not torch.equal(picture, image)
    assert spoilt["constant"].flatten(2).std(dim=2).max() == 0
    for row, column in ((0, 0), (3, 5)):
        place = (slice(None), slice(None), slice(32 * row, 32 * row + 32), slice(32 * column, 32 * column + 32))
        before, after = (picture[place].flatten(2)[0] for picture in (image, spoilt["shuffle"]))
        assert sorted(map(tuple, before.T.tolist())) == sorted(map(tuple, after.T.tolist()))  # whole pixels moved


def test_masks_divide_the_image() -> None:
    masks = region_masks(7, 224)
    assert masks.sum(dim=0).unique().tolist() == [1]
    assert masks[8, 0, 32:64, 32:64].all()


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.5]) == pytest.approx([1.0, 1.0])


def test_the_reported_numbers_follow_from_the_falls(faithful: CausalCheck) -> None:
    facts = faithful.to_json()
    for name, result in facts["interventions"].items():
        falls = np.array(result["falls"])
        index = falls[facts["top_regions"]].mean() - falls[facts["bottom_regions"]].mean()
        assert result["causal_shift_index"] == pytest.approx(index), name
    order = np.argsort(facts["region_attributions"])[::-1]
    assert set(order[:K]) == set(facts["top_regions"])
    assert set(order[-K:]) == set(facts["bottom_regions"])
