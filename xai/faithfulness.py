"""How far a map can be trusted: deletion, insertion, stability, and whether it depends on what was learnt at all."""

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
_SENSITIVITY_RADIUS: Final = 0.02  # of [0, 1]: five grey levels of 255, hardly to be seen
_COMPARED_PX: Final = 4  # maps are compared after smoothing, on every fourth pixel


@dataclass(frozen=True)
class FaithfulnessSettings:
    """How much is measured.

    Attributes:
        grid: regions along a side, taken out and put back whole; the image's side is a multiple of it.
        steps: points of a curve, besides its start.
        random_orders: of the control.
        sensitivity_repeats: disturbed images.
        sensitivity_ig_steps: of Integrated Gradients for each of them.
        seed: of every draw.
    """

    grid: int = 14
    steps: int = 28
    random_orders: int = 16
    sensitivity_repeats: int = 8
    sensitivity_ig_steps: int = 12
    seed: int = 0


@dataclass(frozen=True)
class Curve:
    """The score while regions disappear or appear, against the share of the image that has changed.

    Attributes:
        scores: at the shares 0, 1/steps, ..., 1 for the map's own order, (steps + 1,).
        random_scores: the same for every random order, (orders, steps + 1).
    """

    scores: np.ndarray = field(repr=False)
    random_scores: np.ndarray = field(repr=False)

    @property
    def area(self) -> float:
        """Area under the curve, trapezoids, over shares from 0 to 1."""
        return _area(self.scores)

    @property
    def random_areas(self) -> np.ndarray:
        """The same for every random order."""
        return np.array([_area(scores) for scores in self.random_scores])

    def to_json(self) -> dict[str, Any]:
        """The curve and what the report says of it."""
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
    """Deletion: low is good. Insertion: high is good (Petsiuk, Das, Saenko: RISE, BMVC 2018)."""

    deletion: Curve
    insertion: Curve


def deletion_and_insertion(
    image: torch.Tensor, values: np.ndarray, score: Score, baseline: torch.Tensor, settings: FaithfulnessSettings
) -> Curves:
    """Replace the regions of an image by a baseline, and the reverse, in the order of a map and in random orders.

    Deleting in an order passes through the very pictures that inserting in the reverse order does, so that every
    random order serves both controls.

    Args:
        image: (1, 3, S, S) in [0, 1].
        values: (S, S); what speaks for the class is positive and comes first.
        score: of images.
        baseline: what stands for "nothing there", as the image.
        settings: how much is measured.
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
    """Sensitivity-max of Integrated Gradients (Yeh et al., On the (In)fidelity and Sensitivity, NeurIPS 2019).

    The largest change of the map, relative to its norm, among images that are disturbed by up to 0.02 a channel.
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
        return (values,)  # given a tensor, sensitivity_max of captum 0.9.0 takes its rows for inputs

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
    """How alike two maps are, the second of a network some layers of which have lost what they learnt.

    Attributes:
        layers: those layers.
        correlation: Spearman's, of the smoothed maps; None where one of them is flat.
        absolute_correlation: the same of their magnitudes.
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
    """Does the map change when the network forgets? (Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018)

    From the head downwards, the weights of ever more layers are put in another order within each tensor, which keeps
    their size. A map that stays as it was shows the image, not the classifier.

    Args:
        classifier: is not changed.
        image: (1, 3, 224, 224) in [0, 1].
        target: index of the class.
        options: of Integrated Gradients.
        seed: of the orders.
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
