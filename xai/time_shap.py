"""Time-SHAP: what each group of denoising steps contributed to the class score of the finished image.

The players are groups of consecutive steps. What a group did to the image is the change of the x0 estimate over it,
``D_g = x0(last step of g) - x0(last step before g)``, with a flat picture of the skin's colour in the place of the
estimate before the first step. A coalition of groups S has the value

    v(S) = logit of the class for clip(flat + sum of D_g over g in S, 0, 1),

so *absent* means: the picture without what those steps changed, everything else as it was. The changes add up, so
v(all) is the score of the saved image itself and v(none) that of the flat picture, and Shapley values divide the
difference between the two: efficiency holds for every sampled order, not only on average.

Why not leave the steps out of the denoising instead: later steps would answer to another input and lead to another
image, whose score says nothing of this one; and every coalition would cost the whole denoising. Here it costs one
evaluation of the classifier, (groups + 1) times 2 times pairs of them in all. The price: with early groups absent,
coalitions are pictures that no denoising would give, as with every method that removes parts of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from xai.methods.shapley import sampled_shapley_values
from xai.scoring import Score


@dataclass(frozen=True)
class TimeShap:
    """Contributions of groups of steps, in units of the score.

    Attributes:
        groups: first and last step of each, from 1.
        estimates: (pairs, groups), one row for an order and its reverse; rows are independent.
        score: of the finished image.
        baseline_score: of the flat picture.
    """

    groups: tuple[tuple[int, int], ...]
    estimates: np.ndarray
    score: float
    baseline_score: float

    @property
    def contributions(self) -> np.ndarray:
        """Shapley values, (groups,)."""
        return self.estimates.mean(axis=0)

    @property
    def standard_errors(self) -> np.ndarray:
        """Of the contributions, from the spread between pairs of orders, (groups,)."""
        return self.estimates.std(axis=0, ddof=1) / len(self.estimates) ** 0.5

    def to_json(self) -> dict[str, Any]:
        """Everything that the report says, and the estimates that it can be computed from."""
        return {
            "groups": [{"first_step": first, "last_step": last} for first, last in self.groups],
            "contributions": self.contributions.tolist(),
            "standard_errors": self.standard_errors.tolist(),
            "score": self.score,
            "baseline_score": self.baseline_score,
            "efficiency_gap": float(self.contributions.sum() - (self.score - self.baseline_score)),
            "pairs_of_orders": len(self.estimates),
            "estimates": self.estimates.tolist(),
        }


def time_shap(
    frames: torch.Tensor, baseline: torch.Tensor, score: Score, *, groups: int, pairs: int, seed: int, chunk_size: int
) -> TimeShap:
    """Sample the Shapley values of groups of steps (Castro, Gómez, Tejada, 2009; Mitchell et al., JMLR 2022).

    Args:
        frames: the x0 estimate after every step, (T, 3, S, S) in [0, 1]; the last is the finished image.
        baseline: (1, 3, S, S) in [0, 1], what is there before the first step.
        score: of images.
        groups: of steps, as even as can be; no more than there are steps.
        pairs: of orders, each an order and its reverse; at least two.
        seed: of the orders.
        chunk_size: coalitions that are put together at once.
    """
    bounds = np.linspace(0, len(frames), min(groups, len(frames)) + 1).round().astype(int)
    ends = torch.cat([baseline, frames[bounds[1:] - 1]])
    changes = (ends[1:] - ends[:-1]).flatten(1)  # (groups, 3 * S * S)

    def value(presences: torch.Tensor) -> torch.Tensor:
        pictures = baseline.flatten(1) + presences.float() @ changes
        return score(pictures.clamp(0, 1).view(-1, *baseline.shape[1:]))

    count = len(changes)
    estimates = sampled_shapley_values(value, count, max(2, pairs), seed, chunk_size, torch.device("cpu"))
    both = value(torch.stack([torch.zeros(count), torch.ones(count)]))
    ranges = tuple((int(first) + 1, int(last)) for first, last in pairwise(bounds))
    return TimeShap(ranges, estimates.double().numpy(), float(both[1]), float(both[0]))
