from __future__ import annotations

import numpy as np
import pytest
from prdc import compute_prdc

from evaluation.metrics.distribution import fid, kid, manifolds, mean_distance


def cloud(count: int, seed: int, dimensions: int = 6, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, dimensions))


def test_kid_is_the_unbiased_estimate_with_the_cubic_kernel() -> None:
    first, second = cloud(30, 0), cloud(30, 1, shift=0.5)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1) ** 3

    own = sum(kernel(side, side).sum() - np.trace(kernel(side, side)) for side in (first, second)) / (30 * 29)
    assert kid(first, second, size=30, subsets=1, seed=0)[0] == pytest.approx(own - 2 * kernel(first, second).mean())


def test_kid_of_one_distribution_is_zero_on_average() -> None:
    values = kid(cloud(2000, 2), cloud(2000, 3), size=100, subsets=100, seed=0)
    assert values.min() < 0 < values.max()
    assert abs(values.mean()) < 3 * values.std() / 10


def test_kid_draws_other_subsets_for_another_seed_and_the_same_for_the_same() -> None:
    first, second = cloud(50, 0), cloud(50, 1)
    once, again, other = (kid(first, second, size=10, subsets=3, seed=seed) for seed in (0, 0, 9))
    assert once.tolist() == again.tolist() != other.tolist()


def test_fid_of_gaussians_has_its_closed_form() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(40000, 3)), rng.normal(size=(40000, 3)) * [2, 1, 0.5] + [1, 0, -2]
    # |difference of means|^2 + sum of (sigma_1 - sigma_2)^2 of diagonal covariances
    assert fid(first, second) == pytest.approx(5 + 1 + 0 + 0.25, rel=0.02)
    assert fid(first, first) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("real", "synthetic", "shift"), [(60, 45, 0.4), (1100, 70, 0.0), (80, 1100, 1.0)])
def test_manifolds_are_those_of_prdc(real: int, synthetic: int, shift: float) -> None:
    a, b = cloud(real, 4), cloud(synthetic, 5, shift=shift)
    assert vars(manifolds(a, b)) == pytest.approx(compute_prdc(a, b, nearest_k=5))


def test_every_distance_grows_with_noise() -> None:
    real, other = cloud(300, 6, dimensions=4), cloud(300, 7, dimensions=4)
    noise = cloud(300, 8, dimensions=4)
    noisy = [other + strength * noise for strength in (0, 1, 2, 4)]
    kids = [kid(real, one, size=300, subsets=1, seed=0)[0] for one in noisy]
    fids = [fid(real, one) for one in noisy]
    found = [manifolds(real, one) for one in noisy]
    assert kids == sorted(kids)
    assert fids == sorted(fids)
    for name in ("precision", "density", "coverage"):
        values = [getattr(one, name) for one in found]
        assert values == sorted(values, reverse=True), name


def test_mean_distance_of_the_corners_of_a_simplex() -> None:
    assert mean_distance(np.eye(7)) == pytest.approx(np.sqrt(2))
