"""Every method finds the correct attribution in cases where it is known."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import ShapleyValues

from core.errors import ArgumentError
from tests.xai.networks import CPU, GreenDetector, Linear, Squared, classifier_of
from xai.attribution import Attribution, AttributionOptions
from xai.baselines import BASELINES
from xai.classifier import Classifier, load_classifier
from xai.combine import smoothed
from xai.methods import METHODS, method
from xai.methods.shapley import sampled_shapley_values
from xai.regions import superpixels

QUICK = AttributionOptions(ig_steps=8, shap_samples=16, shap_regions=4, baseline="black")
PATCH = (slice(64, 96), slice(128, 160))


def share_inside(values: np.ndarray) -> float:
    """Return the share of positive attribution in the patch and four pixels around it."""
    positive = np.clip(values, 0, None)
    rows, columns = (slice(axis.start - 4, axis.stop + 4) for axis in PATCH)
    return float(positive[rows, columns].sum() / positive.sum())


@pytest.fixture(scope="module")
def found(classifier: Classifier, image: torch.Tensor) -> dict[str, Attribution]:
    """The attribution of each method for the real image with an untrained ResNet."""
    return {name: METHODS[name](classifier, image, 1, QUICK) for name in METHODS}


@pytest.fixture
def planted(image: torch.Tensor) -> torch.Tensor:
    """The real image with a green patch."""
    changed = image.clone()
    changed[:, :, PATCH[0], PATCH[1]] = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    return changed


def test_the_three_methods_exist() -> None:
    assert set(METHODS) == {"ig", "shap", "gradcam"}


def test_a_name_is_used_only_once() -> None:
    with pytest.raises(ValueError, match="'ig'"):
        method("ig")(METHODS["ig"])


@pytest.mark.parametrize("baseline", BASELINES)
def test_integrated_gradients_of_a_linear_model_are_exact(image: torch.Tensor, baseline: str) -> None:
    model = Linear()
    options = AttributionOptions(ig_steps=3, baseline=baseline)
    found = METHODS["ig"](classifier_of(model), image, 4, options)
    exact = model.contributions(image, BASELINES[baseline](image), 4).numpy()
    assert np.allclose(found.values, exact, atol=1e-6)
    assert abs(found.details["convergence_delta"]) < 1e-4
    assert found.details["baseline"] == baseline


def test_integrated_gradients_of_a_squared_sum_are_exact(image: torch.Tensor) -> None:
    """Of (w·x)² a pixel contributes w (x - b) (w·x + w·b): the gradient changes on the way, and two points see it."""
    model = Squared()
    baseline = BASELINES["mean_skin"](image)
    options = AttributionOptions(ig_steps=2, baseline="mean_skin")
    found = METHODS["ig"](classifier_of(model), image, 4, options)
    with torch.no_grad():
        sums = classifier_of(model.linear).logits(torch.cat([image, baseline]))[:, 4].sum()
    exact = model.linear.contributions(image, baseline, 4) * sums
    assert np.allclose(found.values, exact, rtol=1e-3, atol=1e-6)
    assert abs(found.details["convergence_delta"]) < 1e-3 * abs(found.details["score"])


def test_shap_of_a_linear_model_is_exact_from_the_fewest_coalitions(image: torch.Tensor) -> None:
    model = Linear()
    options = AttributionOptions(shap_samples=1, shap_regions=8)
    found = METHODS["shap"](classifier_of(model), image, 4, options)
    exact = model.contributions(image, BASELINES["blurred"](image), 4)
    regions = superpixels(image, options.shap_regions)
    sums = torch.zeros(found.details["regions"]).index_add_(0, regions.flatten(), exact.flatten())
    assert np.allclose(found.details["contributions"], sums, atol=1e-5)
    assert found.details["standard_error"] < 1e-5
    for index, expected in enumerate(sums.tolist()):
        assert float(found.values[(regions == index).numpy()].sum()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["ig", "shap"])
def test_the_values_add_up_to_the_change_of_score(
    name: str, found: dict[str, Attribution], classifier: Classifier, image: torch.Tensor
) -> None:
    """The values of a nonlinear network add up; those of Integrated Gradients up to the reported delta."""
    with torch.no_grad():
        score, nothing = classifier.logits(torch.cat([image, BASELINES["black"](image)]))[:, 1].tolist()
    delta = found[name].details.get("convergence_delta", 0.0)
    assert float(found[name].values.sum(dtype=np.float64)) - delta == pytest.approx(score - nothing, abs=1e-4)


def test_grad_cam_of_a_resnet_adds_up_to_the_score_without_the_bias(
    found: dict[str, Attribution], classifier: Classifier, image: torch.Tensor
) -> None:
    bias = float(classifier.model.get_parameter("fc.bias")[1])
    with torch.no_grad():
        score = float(classifier.logits(image)[0, 1])
    assert float(found["gradcam"].values.sum()) == pytest.approx(score - bias, abs=1e-3)
    assert found["gradcam"].values.min() < 0  # negative values are kept


@pytest.mark.parametrize(("name", "least"), [("ig", 0.95), ("shap", 0.5), ("gradcam", 0.8)])
def test_a_planted_patch_is_found(name: str, least: float, planted: torch.Tensor) -> None:
    """The patch covers 2% of the image. A superpixel is larger, and Grad-CAM spreads over its positions."""
    found = METHODS[name](classifier_of(GreenDetector()), planted, 0, AttributionOptions(ig_steps=16, shap_regions=16))
    assert share_inside(found.values) > least
    elsewhere = METHODS[name](classifier_of(GreenDetector()), planted, 3, QUICK)
    assert not elsewhere.values.any()  # there is no evidence for a class that the network does not know


@pytest.mark.parametrize("name", ["ig", "gradcam"])
def test_a_mirrored_image_has_the_mirrored_attribution(name: str, planted: torch.Tensor) -> None:
    classifier = classifier_of(GreenDetector())
    there = METHODS[name](classifier, planted, 0, QUICK).values
    mirrored = METHODS[name](classifier, planted.flip(3), 0, QUICK).values
    assert np.allclose(mirrored[:, ::-1], there, atol=1e-6)


@pytest.mark.parametrize("name", ["ig", "shap", "gradcam"])
def test_a_seed_determines_everything(
    name: str, found: dict[str, Attribution], classifier: Classifier, image: torch.Tensor
) -> None:
    once, again = found[name], METHODS[name](classifier, image, 1, QUICK)
    assert np.array_equal(once.values, again.values)
    assert (once.values.dtype, once.values.shape, once.method, once.target) == (np.float32, (224, 224), name, 1)
    other = METHODS[name](classifier, image, 1, replace(QUICK, seed=1))
    assert np.array_equal(once.values, other.values) == (name != "shap")  # the others draw nothing


@pytest.mark.parametrize("name", ["ig", "shap"])
def test_the_size_of_the_chunks_changes_nothing(name: str, classifier: Classifier, image: torch.Tensor) -> None:
    whole, parts = (
        METHODS[name](
            classifier, image, 0, AttributionOptions(ig_steps=4, shap_samples=1, shap_regions=3, chunk_size=n)
        )
        for n in (8, 2)
    )
    assert np.allclose(whole.values, parts.values, atol=1e-6)


def test_half_precision_gives_a_similar_map(
    found: dict[str, Attribution], checkpoints: Path, image: torch.Tensor
) -> None:
    half = load_classifier(checkpoints, CPU, "bf16")
    for name, exact in found.items():
        near = METHODS[name](half, image, 1, QUICK)
        shown = [smoothed(attribution.values, 2.0).ravel() for attribution in (exact, near)]
        assert np.corrcoef(*shown)[0, 1] > 0.95, name  # trained networks are smoother: above 0.998


def both_of(presences: torch.Tensor) -> torch.Tensor:
    """Return 1 if players 0 and 1 are both present; player 2 has no effect."""
    return presences[:, 0] * presences[:, 1]


def all_of(presences: torch.Tensor) -> torch.Tensor:
    return presences.prod(dim=1)


def values_of(game: object, players: int, pairs: int) -> torch.Tensor:
    return sampled_shapley_values(game, players, pairs, 0, 16, CPU)  # type: ignore[arg-type]


def test_interchangeable_players_have_equal_values_and_idle_ones_have_none() -> None:
    assert torch.equal(values_of(both_of, 3, 1), torch.tensor([[0.5, 0.5, 0.0]]))


def test_the_standard_error_covers_the_truth() -> None:
    def game(presences: torch.Tensor) -> torch.Tensor:
        return torch.sin(3 * presences @ torch.tensor([0.3, 1.0, 0.7, 0.2])) + all_of(presences)

    exact = ShapleyValues(game).attribute(torch.ones(1, 4))
    estimates = values_of(game, 4, 200)
    errors = estimates.std(dim=0) / 200**0.5
    assert (errors > 0).all()
    assert ((estimates.mean(dim=0) - exact[0]).abs() < 4 * errors).all()
    assert torch.allclose(estimates.sum(dim=1), game(torch.ones(1, 4)) - game(torch.zeros(1, 4)), atol=1e-5)


def test_the_summary_of_a_map_names_its_numbers(found: dict[str, Attribution]) -> None:
    summaries = {name: attribution.details["summary"] for name, attribution in found.items()}
    assert re.fullmatch(r"8 steps, baseline black, convergence delta [+-]\d+\.\d{3} logit", summaries["ig"])
    assert re.fullmatch(
        r"16 coalitions of 4 superpixels, baseline black, standard error \d+\.\d{3} logit", summaries["shap"]
    )
    assert summaries["gradcam"] == "layer4, 7 x 7 positions"
    assert "values" not in repr(found["ig"])  # 50,176 numbers in a log are useless


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"ig_steps": 0}, "ig_steps is 0"), ({"chunk_size": -1}, "chunk_size is -1"), ({"baseline": "white"}, "'white'")],
)
def test_options_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        AttributionOptions(**changes)  # type: ignore[arg-type]
