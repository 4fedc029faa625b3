from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from classification.evaluation.bootstrap import (
    Interval,
    difference,
    intervals,
    mend_shares,
    percentile,
    resampled,
    wilson,
)
from classification.evaluation.metrics import binary_statistic


def test_images_of_a_lesion_stay_together() -> None:
    lesions = ["a", "b", "a", "c", "b", "d"]
    weights = np.concatenate(list(resampled(lesions, 600, seed=0)))
    assert weights.shape == (600, 6)
    assert np.array_equal(weights[:, 0], weights[:, 2])
    assert np.array_equal(weights[:, 1], weights[:, 4])
    assert (weights[:, [0, 1, 3, 5]].sum(axis=1) == 4).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(6), abs=0.1)


def test_the_same_seed_gives_the_same_resamples() -> None:
    one, other, third = (np.concatenate(list(resampled(["a", "b", "c"], 300, seed))) for seed in (1, 1, 2))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, third)


def simulated(rng: np.random.Generator, lesions: int) -> tuple[np.ndarray, list[str]]:
    """Whether images of positive lesions are found; one to three images per lesion that mostly agree; mean 0.7."""
    names, found = [], []
    for lesion in range(lesions):
        easy = rng.random() < 0.7
        for _ in range(rng.integers(1, 4)):
            names.append(f"L{lesion}")
            found.append(easy)
    return np.array(found), names


def test_ninety_five_percent_of_the_intervals_contain_the_truth() -> None:
    """Images of a lesion agree completely here; intervals over images would contain the truth far less often."""
    rng, by_lesion, by_image = np.random.default_rng(0), 0, 0
    runs = 200
    for run in range(runs):
        found, names = simulated(rng, 60)
        statistic = binary_statistic(np.ones(len(found), bool), found.astype(float), found)
        for lesions, kind in ((names, "lesion"), ([str(i) for i in range(len(names))], "image")):
            interval = intervals(statistic, lesions, resamples=300, seed=run)["sensitivity"]
            held = interval.low is not None and interval.low <= 0.7 <= (interval.high or 0)
            by_lesion += held and kind == "lesion"
            by_image += held and kind == "image"
    assert 0.90 <= by_lesion / runs <= 0.985
    assert by_image / runs < 0.90


def test_an_interval_without_width_is_not_reported() -> None:
    assert percentile(1.0, np.ones(100)) == Interval(1.0)
    assert percentile(0.5, np.array([0.4, np.nan] * 50)) == Interval(0.5)
    assert percentile(float("nan"), np.ones(3)) == Interval(None)


@pytest.mark.parametrize(("right", "cases"), [(10, 10), (0, 12), (7, 9)])
def test_wilson_is_that_of_scipy(right: int, cases: int) -> None:
    expected = binomtest(right, cases).proportion_ci(method="wilson")
    found = wilson(right / cases, cases)
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=1e-6), pytest.approx(expected.high, abs=1e-6))


def test_ten_of_ten_right_is_not_certainty() -> None:
    positive = np.array([True] * 10 + [False] * 40)
    decided = np.array([True] * 10 + [True] * 8 + [False] * 32)
    lesions = [str(number) for number in range(50)]
    found = intervals(binary_statistic(positive, decided.astype(float), decided), lesions, resamples=500)
    assert found["sensitivity"].low is None
    mended = mend_shares(found, 10, 40)
    assert (mended["sensitivity"].value, mended["sensitivity"].method) == (1.0, "wilson")
    assert mended["sensitivity"].low == pytest.approx(0.7225, abs=1e-3)
    assert mended["specificity"] == found["specificity"]
    balanced = mended["balanced_accuracy"]
    assert balanced.value == pytest.approx(0.9)
    assert balanced.low is not None
    assert balanced.low < 0.9 - (1 - 0.7225) / 2 + 1e-3


def test_a_difference_is_that_of_newcombes_example() -> None:
    """56 of 70 minus 48 of 80: 0.2, from 0.0524 to 0.3339 (Stat. Med. 17, 1998, table II, method 10)."""
    found = difference(wilson(56 / 70, 70), wilson(48 / 80, 80))
    assert (found.value, found.low, found.high) == (
        pytest.approx(0.2),
        pytest.approx(0.0524, abs=1e-4),
        pytest.approx(0.3339, abs=1e-4),
    )
    assert difference(Interval(1.0), wilson(0.5, 4)) == Interval(0.5)
    assert difference(Interval(None), wilson(0.5, 4)) == Interval(None)
