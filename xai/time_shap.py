"""Time-SHAP: the contribution of each group of denoising steps to the class score of the finished image.

The players are groups of consecutive steps. The effect of a group g is the change of the x0 estimate,
``D_g = x0(last step of g) - x0(last step before g)``. Before the first step, the estimate is a uniform image in the
colour of the skin ("flat"). A coalition S of groups has the value

    v(S) = logit of the class for clip(flat + sum of D_g over g in S, 0, 1).

*Absent* therefore means: the image without the change of those steps, and otherwise unchanged. The changes add up, so
v(all) is the score of the saved image and v(none) is the score of the flat image. Shapley values divide the difference
between the two among the groups. Efficiency holds for every sampled order, not only on average.

Why are the steps not omitted from the denoising instead? Later steps would receive another input and lead to another
image, whose score would not describe this image. Each coalition would also cost a whole denoising. Here it costs one
evaluation of the classifier, in total (groups + 1) * 2 * pairs evaluations. The disadvantage: if early groups are
absent, no denoising would generate that image. This applies to every method that removes parts of an image.
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
        groups: first and last step of each group, from 1.
        estimates: (pairs, groups), one row per order and its reverse; rows are independent.
        score: score of the finished image.
        baseline_score: score of the flat image.
    """

    groups: tuple[tuple[int, int], ...]
    estimates: np.ndarray
    score: float
    baseline_score: float

    @property
    def contributions(self) -> np.ndarray:
        """Return the Shapley values, (groups,)."""
        return self.estimates.mean(axis=0)

    @property
    def standard_errors(self) -> np.ndarray:
        """Return the standard errors of the contributions over pairs of orders, (groups,)."""
        return self.estimates.std(axis=0, ddof=1) / len(self.estimates) ** 0.5

    def to_json(self) -> dict[str, Any]:
        """Return all numbers of the report, and the estimates from which they are computed."""
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
        baseline: (1, 3, S, S) in [0, 1], the estimate before the first step.
        score: score function for images.
        groups: number of groups of equal size, if possible; at most the number of steps.
        pairs: number of pairs of an order and its reverse; at least two.
        seed: seed of the orders.
        chunk_size: number of coalitions computed together.
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
