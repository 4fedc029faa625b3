"""Check how well a map describes the classifier: deletion, insertion, stability, and parameter randomisation."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from captum.attr import IntegratedGradients
from captum.metrics import sensitivity_max
from scipy import stats
from torch import nn

from xai.attribution import AttributionOptions
from xai.baselines import BASELINES
from xai.classifier import Classifier
from xai.combine import smoothed
from xai.interventions import region_masks
from xai.methods import METHODS
from xai.scoring import Score

_LEVELS: Final = (("fc",), ("fc", "layer4"), ("fc", "layer4", "layer3", "layer2", "layer1", "conv1"))
_SENSITIVITY_RADIUS: Final = 0.02  # in units of [0, 1]: five grey levels of 255, hardly visible
_COMPARED_PX: Final = 4  # maps are compared after smoothing, on every fourth pixel


@dataclass(frozen=True)
class FaithfulnessSettings:
    """The settings of the checks.

    Attributes:
        grid: number of regions along a side; the side of the image must be a multiple of it.
        steps: number of points of a curve, without its start.
        random_orders: number of random orders in the control.
        sensitivity_repeats: number of noisy images.
        sensitivity_ig_steps: steps of Integrated Gradients for each noisy image.
        seed: seed of all random draws.
    """

    grid: int = 14
    steps: int = 28
    random_orders: int = 16
    sensitivity_repeats: int = 8
    sensitivity_ig_steps: int = 12
    seed: int = 0


@dataclass(frozen=True)
class Curve:
    """The score as a function of the share of removed or restored regions.

    Attributes:
        scores: scores at the shares 0, 1/steps, ..., 1 in the order of the map, (steps + 1,).
        random_scores: scores for every random order, (orders, steps + 1).
    """

    scores: np.ndarray = field(repr=False)
    random_scores: np.ndarray = field(repr=False)

    @property
    def area(self) -> float:
        """Return the area under the curve (trapezoidal rule) over shares from 0 to 1."""
        return _area(self.scores)

    @property
    def random_areas(self) -> np.ndarray:
        """Return the area under the curve of every random order."""
        return np.array([_area(scores) for scores in self.random_scores])

    def to_json(self) -> dict[str, Any]:
        """Return the curve and all numbers of the report about it."""
        areas = self.random_areas
        return {
            "auc": self.area,
            "random_auc_mean": float(areas.mean()),
            "random_auc_sd": float(areas.std(ddof=1)),
            "random_aucs": areas.tolist(),
            "scores": self.scores.tolist(),
            "random_scores": self.random_scores.tolist(),
        }


@dataclass(frozen=True)
class Curves:
    """The two curves. For deletion, low is good; for insertion, high is good (Petsiuk et al.: RISE, BMVC 2018)."""

    deletion: Curve
    insertion: Curve


def deletion_and_insertion(
    image: torch.Tensor, values: np.ndarray, score: Score, baseline: torch.Tensor, settings: FaithfulnessSettings
) -> Curves:
    """Replace the regions of an image by a baseline, and the reverse, in the order of a map and in random orders.

    Deletion in one order creates the same images as insertion in the reverse order, so each random order is used for
    both controls.

    Args:
        image: (1, 3, S, S) in [0, 1].
        values: map (S, S); the regions with the highest values come first.
        score: score function for images.
        baseline: image that represents "no information", same shape as the image.
        settings: settings of the check.
    """
    grid = settings.grid
    masks = region_masks(grid, image.shape[-1])
    means = values.reshape(grid, values.shape[0] // grid, grid, -1).mean(axis=(1, 3)).ravel()
    order = np.argsort(-means, kind="stable")
    rng = np.random.default_rng(settings.seed)
    random_orders = [rng.permutation(len(order)) for _ in range(settings.random_orders)]

    def curve(start: torch.Tensor, end: torch.Tensor, regions: np.ndarray) -> np.ndarray:
        counts = np.linspace(0, len(regions), settings.steps + 1).round().astype(int)
        changed = torch.stack([masks[regions[:count]].any(dim=0) for count in counts])
        found: np.ndarray = score(torch.where(changed, end, start)).double().numpy()
        return found

    random = np.stack([curve(image, baseline, regions) for regions in random_orders])
    deletion = Curve(curve(image, baseline, order), random)
    insertion = Curve(curve(baseline, image, order), random[:, ::-1])
    return Curves(deletion, insertion)


def sensitivity(
    classifier: Classifier,
    image: torch.Tensor,
    target: int,
    options: AttributionOptions,
    settings: FaithfulnessSettings,
) -> float:
    """Return sensitivity-max of Integrated Gradients (Yeh et al., On the (In)fidelity and Sensitivity, NeurIPS 2019).

    It is the largest change of the map, relative to its norm, for images with noise of up to 0.02 per channel.
    """
    explainer = IntegratedGradients(classifier.logits)

    def explain(inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        images = inputs[0]
        values = explainer.attribute(
            images,
            torch.cat([BASELINES[options.baseline](one) for one in images.split(1)]),
            target=target,
            n_steps=settings.sensitivity_ig_steps,
            internal_batch_size=options.chunk_size,
        )
        return (values,)  # captum 0.9.0 would treat the rows of a tensor as separate inputs

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        worst = sensitivity_max(
            explain,
            image.to(classifier.device),
            perturb_radius=_SENSITIVITY_RADIUS,
            n_perturb_samples=settings.sensitivity_repeats,
            max_examples_per_batch=1,
        )
    return float(worst[0])


@dataclass(frozen=True)
class Randomised:
    """The similarity of a map and the map of a network with shuffled weights in some layers.

    Attributes:
        layers: layers with shuffled weights.
        correlation: Spearman correlation of the smoothed maps; None if one map is flat.
        absolute_correlation: Spearman correlation of their magnitudes.
    """

    layers: tuple[str, ...]
    correlation: float | None
    absolute_correlation: float | None


def parameter_randomisation(
    classifier: Classifier,
    image: torch.Tensor,
    target: int,
    options: AttributionOptions,
    seed: int,
) -> list[Randomised]:
    """Compare the map with maps of shuffled networks (Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018).

    Starting at the head, the weights of more and more layers are shuffled within each tensor, which keeps their size.
    A map that does not change depends on the image, not on the classifier.

    Args:
        classifier: the classifier; it is not changed.
        image: (1, 3, 224, 224) in [0, 1].
        target: index of the class.
        options: options of Integrated Gradients.
        seed: seed of the shuffling.
    """
    explain = METHODS["ig"]
    before = _comparable(explain(classifier, image, target, options).values)
    found = []
    for layers in _LEVELS:
        model = _with_shuffled_weights(classifier.model, layers, seed)
        after = _comparable(explain(dataclasses.replace(classifier, model=model), image, target, options).values)
        found.append(Randomised(layers, _rank_correlation(before, after), _rank_correlation(abs(before), abs(after))))
    return found


def _with_shuffled_weights(model: nn.Module, layers: tuple[str, ...], seed: int) -> Any:
    changed = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in changed.named_parameters():
            if name.partition(".")[0] in layers:
                order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
                weights.copy_(weights.flatten()[order].view(weights.shape))
    return changed


def _comparable(values: np.ndarray) -> np.ndarray:
    return smoothed(values)[::_COMPARED_PX, ::_COMPARED_PX].ravel()


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    if not (np.ptp(one) and np.ptp(other)):
        return None
    return float(stats.spearmanr(one, other).statistic)


def _area(scores: np.ndarray) -> float:
    return float(np.trapezoid(scores, np.linspace(0, 1, len(scores))))
