"""Deletion, insertion, sensitivity and parameter randomisation in cases with a known result."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.xai.networks import CPU, Linear, classifier_of
from xai.attribution import AttributionOptions
from xai.baselines import blurred
from xai.classifier import STD, Classifier
from xai.faithfulness import Curves, FaithfulnessSettings, deletion_and_insertion, parameter_randomisation, sensitivity
from xai.scoring import Score, logit_of

TARGET, GRID = 4, 14
SETTINGS = FaithfulnessSettings(random_orders=3)
OPTIONS = AttributionOptions(ig_steps=2, baseline="black")


@pytest.fixture(scope="module")
def contributions(image: torch.Tensor) -> np.ndarray:
    return Linear().contributions(image, blurred(image), TARGET).numpy()


@pytest.fixture(scope="module")
def score() -> Score:
    return logit_of(classifier_of(Linear()), TARGET, 16)


@pytest.fixture(scope="module")
def curves(image: torch.Tensor, contributions: np.ndarray, score: Score) -> Curves:
    return deletion_and_insertion(image, contributions, score, blurred(image), SETTINGS)


def test_the_curves_of_a_linear_classifier_are_sums_of_contributions(
    curves: Curves, image: torch.Tensor, contributions: np.ndarray, score: Score
) -> None:
    falling = np.sort(contributions.reshape(GRID, 16, GRID, 16).sum(axis=(1, 3)).ravel())[::-1]
    counts = np.linspace(0, 196, 29).round().astype(int)
    gained = np.concatenate([[0], np.cumsum(falling)])[counts]
    full, empty = float(score(image)[0]), float(score(blurred(image))[0])
    assert curves.deletion.scores == pytest.approx(full - gained, abs=2e-3)
    assert curves.insertion.scores == pytest.approx(empty + gained, abs=2e-3)
    expected = np.trapezoid(empty + gained, np.linspace(0, 1, 29))
    assert curves.insertion.area == pytest.approx(expected, abs=2e-3)


def test_a_faithful_map_beats_every_random_order_and_its_reverse_loses(
    curves: Curves, image: torch.Tensor, contributions: np.ndarray, score: Score
) -> None:
    assert curves.deletion.area < curves.deletion.random_areas.min()
    assert curves.insertion.area > curves.insertion.random_areas.max()
    reverse = deletion_and_insertion(image, -contributions, score, blurred(image), SETTINGS)
    assert reverse.deletion.area > reverse.deletion.random_areas.max()
    assert reverse.insertion.area < reverse.insertion.random_areas.min()


def test_a_random_order_is_used_for_both_controls(curves: Curves, image: torch.Tensor, score: Score) -> None:
    order = np.random.default_rng(SETTINGS.seed).permutation(GRID * GRID)
    ranks = np.empty(GRID * GRID)
    ranks[order[::-1]] = np.arange(GRID * GRID, 0, -1)  # a map whose order is the reverse
    values = ranks.reshape(GRID, GRID).repeat(16, 0).repeat(16, 1)
    inserted = deletion_and_insertion(image, values, score, blurred(image), SETTINGS).insertion.scores
    assert curves.insertion.random_scores[0] == pytest.approx(inserted, abs=1e-6)


def test_the_reported_numbers_follow_from_the_curve(curves: Curves) -> None:
    facts = curves.deletion.to_json()
    shares = np.linspace(0, 1, len(facts["scores"]))
    assert facts["auc"] == pytest.approx(np.trapezoid(facts["scores"], shares))
    areas = [np.trapezoid(scores, shares) for scores in facts["random_scores"]]
    assert facts["random_aucs"] == pytest.approx(areas)
    assert facts["random_auc_mean"] == pytest.approx(np.mean(areas))
    assert facts["random_auc_sd"] == pytest.approx(np.std(areas, ddof=1))


def test_sensitivity_of_a_linear_classifier(image: torch.Tensor) -> None:
    """Its map is weight times pixel: noise e changes it by weight times e, whose norm is that of uniform noise."""
    network = Linear()
    weights = network.weights[TARGET].detach() / torch.tensor(STD).view(3, 1, 1)
    expected = 0.02 / 3**0.5 * float(weights.norm() / (weights * image[0]).norm())
    settings = FaithfulnessSettings(sensitivity_repeats=3, sensitivity_ig_steps=2)
    before = torch.random.get_rng_state()
    assert sensitivity(classifier_of(network), image, TARGET, OPTIONS, settings) == pytest.approx(expected, rel=0.02)
    assert torch.equal(torch.random.get_rng_state(), before)


class Headed(nn.Module):
    """Scores from a fixed brightness and optionally from a head that can be shuffled."""

    def __init__(self, learnt: float) -> None:
        super().__init__()
        self.learnt = learnt
        self.fc = Linear()
        self.register_buffer("fixed", torch.linspace(0, 1, 224).expand(3, 224, 224))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores (B, 7)."""
        return (images * self.fixed).mean(dim=(1, 2, 3)).unsqueeze(1) + self.learnt * self.fc(images)


@pytest.mark.parametrize(("learnt", "low", "high"), [(0.0, 0.999, 1.0), (1.0, -0.15, 0.15)])
def test_a_map_that_does_not_depend_on_weights_does_not_change(
    image: torch.Tensor, learnt: float, low: float, high: float
) -> None:
    classifier = classifier_of(Headed(learnt))
    weights = classifier.model.fc.weights.clone()
    levels = parameter_randomisation(classifier, image, TARGET, OPTIONS, seed=0)
    assert [level.layers[-1] for level in levels] == ["fc", "layer4", "conv1"]
    assert all(level.correlation is not None and low <= level.correlation <= high for level in levels)
    assert torch.equal(classifier.model.fc.weights, weights)


def test_more_and_more_layers_of_a_resnet_are_shuffled(classifier: Classifier, image: torch.Tensor) -> None:
    levels = parameter_randomisation(classifier, image, TARGET, OPTIONS, seed=0)
    correlations = [level.correlation for level in levels]
    assert len(set(correlations)) == 3
    assert all(correlation is not None and abs(correlation) < 0.9 for correlation in correlations)


def test_a_flat_map_has_no_correlation(image: torch.Tensor) -> None:
    class Blind(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return 0 * images.mean(dim=(1, 2, 3)).unsqueeze(1).expand(-1, 7)

    levels = parameter_randomisation(
        Classifier(Blind(), CPU, torch.float32, "test", "", True, ()), image, TARGET, OPTIONS, 0
    )
    assert all(level.correlation is None for level in levels)
