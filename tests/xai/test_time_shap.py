"""Time-SHAP in cases with known contributions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from tests.xai.networks import Linear, Squared, classifier_of
from xai.baselines import mean_skin
from xai.scoring import Score, logit_of
from xai.time_shap import TimeShap, time_shap

TARGET = 3


def strips(image: torch.Tensor, baseline: torch.Tensor, steps: int) -> torch.Tensor:
    """A denoising that fills in one strip of the image per step, from the top."""
    bounds = np.linspace(0, image.shape[2], steps + 1).round().astype(int)
    frames = baseline.repeat(steps, 1, 1, 1)
    for step, bound in enumerate(bounds[1:]):
        frames[step, :, :bound] = image[0, :, :bound]
    return frames


def run(frames: torch.Tensor, baseline: torch.Tensor, score: Score, groups: int, pairs: int = 2) -> TimeShap:
    return time_shap(frames, baseline, score, groups=groups, pairs=pairs, seed=0, chunk_size=8)


def exact(frames: torch.Tensor, baseline: torch.Tensor, score: Score) -> np.ndarray:
    """Shapley values by their definition, over all coalitions; every frame is a player."""
    ends = torch.cat([baseline, frames])
    count = len(frames)

    def value(coalition: tuple[int, ...]) -> float:
        return float(score(baseline + sum(ends[i + 1 : i + 2] - ends[i : i + 1] for i in coalition))[0])

    values = np.zeros(count)
    for player in range(count):
        others = [other for other in range(count) if other != player]
        for size in range(count):
            weight = math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count)
            for coalition in itertools.combinations(others, size):
                values[player] += weight * (value((*coalition, player)) - value(coalition))
    return values


def test_a_linear_classifier_gives_each_group_what_its_pixels_contribute(image: torch.Tensor) -> None:
    network, baseline = Linear(), mean_skin(image)
    frames = strips(image, baseline, 7)
    result = run(frames, baseline, logit_of(classifier_of(network), TARGET, 8), groups=7)
    known = network.contributions(image, baseline, TARGET).view(7, 32, 224).sum(dim=(1, 2))
    assert result.contributions == pytest.approx(known.numpy(), abs=2e-4)
    assert result.standard_errors == pytest.approx(np.zeros(7), abs=1e-4)


@pytest.mark.parametrize(("steps", "groups"), [(10, 3), (50, 10), (4, 10), (1, 5)])
def test_groups_cover_every_step_once(image: torch.Tensor, steps: int, groups: int) -> None:
    baseline = mean_skin(image)
    result = run(strips(image, baseline, steps), baseline, lambda images: images.mean(dim=(1, 2, 3)), groups)
    covered = [step for first, last in result.groups for step in range(first, last + 1)]
    assert covered == list(range(1, steps + 1))
    assert len(result.groups) == min(groups, steps)


def test_the_standard_error_covers_the_truth_if_groups_interact(image: torch.Tensor) -> None:
    baseline = mean_skin(image)
    frames = strips(image, baseline, 4)
    score = logit_of(classifier_of(Squared()), TARGET, 8)

    def cubed(images: torch.Tensor) -> torch.Tensor:  # pairs of orders are exact for a square, not for this
        return score(images) ** 1.5

    result = run(frames, baseline, cubed, groups=4, pairs=24)
    distance = np.abs(result.contributions - exact(frames, baseline, cubed))
    assert (result.standard_errors > 0).all()
    assert (distance < 4 * result.standard_errors).all()


def test_efficiency_holds_for_every_pair_of_orders(image: torch.Tensor) -> None:
    baseline = mean_skin(image)
    score = logit_of(classifier_of(Squared()), TARGET, 8)
    result = run(strips(image, baseline, 6), baseline, score, groups=6, pairs=3)
    gained = float(score(image)[0] - score(baseline)[0])
    assert result.estimates.sum(axis=1) == pytest.approx([gained] * 3, rel=1e-4)
    assert result.score == pytest.approx(float(score(image)[0]), rel=1e-5)
    assert result.to_json()["efficiency_gap"] == pytest.approx(0, abs=1e-4)


def test_steps_that_change_nothing_contribute_nothing(image: torch.Tensor) -> None:
    baseline = mean_skin(image)
    frames = strips(image, baseline, 3)
    frames = torch.cat([frames[:1], frames[:1], frames[1:], frames[2:]])
    result = run(frames, baseline, logit_of(classifier_of(Squared()), TARGET, 8), groups=5, pairs=4)
    assert result.contributions[[1, 4]] == pytest.approx([0, 0], abs=1e-6)
    assert np.abs(result.contributions[[0, 2, 3]]).min() > 1e-4


def test_groups_that_do_the_same_contribute_the_same(image: torch.Tensor) -> None:
    baseline = torch.full_like(image, 0.2)
    frames = torch.cat([torch.full_like(image, 0.2 + 0.1 * step) for step in (1, 2, 3)])
    result = run(frames, baseline, lambda images: images.mean(dim=(1, 2, 3)) ** 2, groups=3, pairs=6)
    assert result.contributions == pytest.approx([(0.25 - 0.04) / 3] * 3, abs=0.01)


def test_a_seed_determines_everything(image: torch.Tensor) -> None:
    baseline = mean_skin(image)
    frames, score = strips(image, baseline, 5), logit_of(classifier_of(Squared()), TARGET, 8)
    one, other = (run(frames, baseline, lambda images: score(images) ** 3, groups=5) for _ in range(2))
    assert np.array_equal(one.estimates, other.estimates)
