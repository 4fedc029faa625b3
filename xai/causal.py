"""The causal check: do regions that a map ranks high change the class score more than regions that it ranks low?

Each region is changed in four ways, one region at a time, and the fall of the score is measured. The cases of every
statistic are the regions, not repetitions of an intervention: with enough repetitions, any difference would be
significant. Neighbouring regions are not independent, so the intervals are too narrow and the p-values too small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from scipy import stats

from xai.interventions import DRAWN, INTERVENTIONS, region_masks
from xai.scoring import Score

_RESAMPLES: Final = 9999
_CONTROLS: Final = 2000


@dataclass(frozen=True)
class CausalSettings:
    """The settings of the causal check.

    Attributes:
        grid: number of regions along a side; the side of the image must be a multiple of it.
        k: number of top regions and of bottom regions.
        repeats: repetitions of random interventions; the falls are averaged.
        seed: seed of all random draws.
    """

    grid: int = 7
    k: int = 10
    repeats: int = 3
    seed: int = 0


@dataclass(frozen=True)
class CausalShift:
    """The result of one intervention.

    Attributes:
        falls: fall of the score per region, (grid * grid,).
        index: causal shift index: mean fall of the top regions minus mean fall of the bottom regions.
        interval: 95% interval of the index, percentile bootstrap over regions.
        welch_t, welch_p: Welch's t of top against bottom, one-sided; None if the falls do not vary.
        permutation_p: share of relabellings of top and bottom with an index at least as large, one-sided.
        control: mean and central 95% of the index for two groups of randomly drawn regions.
        rank_correlation: Spearman correlation of attribution and fall over all regions; None if one does not vary.
    """

    falls: np.ndarray = field(repr=False)
    index: float
    interval: tuple[float, float]
    welch_t: float | None
    welch_p: float | None
    permutation_p: float
    control: tuple[float, float, float]
    rank_correlation: float | None


@dataclass(frozen=True)
class CausalCheck:
    """The results of all interventions.

    Attributes:
        attributions: mean of the map over each region, row by row.
        top, bottom: indices of the top and bottom regions.
        shifts: result per intervention.
    """

    settings: CausalSettings
    score: float
    attributions: np.ndarray
    top: tuple[int, ...]
    bottom: tuple[int, ...]
    shifts: Mapping[str, CausalShift]

    def to_json(self) -> dict[str, Any]:
        """Return all numbers of the report, and the falls from which they are computed."""
        adjusted = holm([shift.permutation_p for shift in self.shifts.values()])
        return {
            "score": self.score,
            "grid": self.settings.grid,
            "k": self.settings.k,
            "repeats": self.settings.repeats,
            "region_attributions": self.attributions.tolist(),
            "top_regions": list(self.top),
            "bottom_regions": list(self.bottom),
            "interventions": {
                name: {
                    "falls": shift.falls.tolist(),
                    "causal_shift_index": shift.index,
                    "interval": list(shift.interval),
                    "welch_t": shift.welch_t,
                    "welch_p": shift.welch_p,
                    "permutation_p": shift.permutation_p,
                    "permutation_p_holm": p,
                    "random_control": dict(zip(("mean", "low", "high"), shift.control, strict=True)),
                    "rank_correlation": shift.rank_correlation,
                }
                for (name, shift), p in zip(self.shifts.items(), adjusted, strict=True)
            },
        }


def causal_check(image: torch.Tensor, values: np.ndarray, score: Score, settings: CausalSettings) -> CausalCheck:
    """Change each region of an image in four ways, and compare the falls of the score with a map.

    Args:
        image: (1, 3, S, S) in [0, 1].
        values: map (S, S), signed; positive values support the class.
        score: score function for images; its fall is measured.
        settings: settings of the check.
    """
    grid, side = settings.grid, image.shape[-1] // settings.grid
    attributions = values.reshape(grid, side, grid, side).mean(axis=(1, 3)).ravel()
    order = np.argsort(-attributions, kind="stable")
    k = min(settings.k, len(order) // 2)
    top, bottom = order[:k], order[-k:]
    before = float(score(image)[0])
    shifts = {}
    for name, fallen in _scores_after(image, score, settings).items():
        rng = np.random.default_rng(settings.seed)
        shifts[name] = _shift(before - fallen, attributions, top, bottom, rng)
    return CausalCheck(settings, before, attributions, tuple(top.tolist()), tuple(bottom.tolist()), shifts)


def holm(p_values: list[float]) -> list[float]:
    """Return p-values adjusted for multiple tests (Holm 1979), in the given order."""
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return [float(value) for value in adjusted]


def _scores_after(image: torch.Tensor, score: Score, settings: CausalSettings) -> dict[str, np.ndarray]:
    """Return the mean score after each intervention on each region, per intervention, each (regions,)."""
    generator = torch.Generator().manual_seed(settings.seed)
    masks = region_masks(settings.grid, image.shape[-1])
    found = {}
    for name, intervention in INTERVENTIONS.items():
        spoilt = [
            intervention(image, settings.grid, generator) for _ in range(settings.repeats if name in DRAWN else 1)
        ]
        scores = [score(torch.where(masks, picture, image)).double().numpy() for picture in spoilt]
        found[name] = np.mean(scores, axis=0)
    return found


def _shift(
    falls: np.ndarray, attributions: np.ndarray, top: np.ndarray, bottom: np.ndarray, rng: np.random.Generator
) -> CausalShift:
    high, low = falls[top], falls[bottom]
    index = float(high.mean() - low.mean())
    varies = np.ptp(falls) > 0
    welch = stats.ttest_ind(high, low, equal_var=False, alternative="greater") if np.ptp(high) + np.ptp(low) else None
    ranks = stats.spearmanr(attributions, falls).statistic if varies and np.ptp(attributions) else None
    return CausalShift(
        falls,
        index,
        _bootstrap_interval(high, low, rng),
        None if welch is None else float(welch.statistic),
        None if welch is None else float(welch.pvalue),
        _permutation_p(high, low, rng),
        _random_control(falls, len(top), rng),
        None if ranks is None else float(ranks),
    )


def _bootstrap_interval(high: np.ndarray, low: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    drawn = stats.bootstrap(
        (high, low), _difference, n_resamples=_RESAMPLES, vectorized=True, method="percentile", rng=rng
    )
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def _permutation_p(high: np.ndarray, low: np.ndarray, rng: np.random.Generator) -> float:
    test = stats.permutation_test(
        (high, low), _difference, n_resamples=_RESAMPLES, vectorized=True, alternative="greater", rng=rng
    )
    return float(test.pvalue)


def _random_control(falls: np.ndarray, k: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return mean, 2.5% and 97.5% quantile of the index between two groups of k randomly drawn regions."""
    drawn = np.stack([rng.permutation(falls)[: 2 * k] for _ in range(_CONTROLS)])
    indices = drawn[:, :k].mean(axis=1) - drawn[:, k:].mean(axis=1)
    low, high = np.quantile(indices, (0.025, 0.975))
    return float(indices.mean()), float(low), float(high)


def _difference(high: np.ndarray, low: np.ndarray, axis: int = -1) -> np.ndarray:
    difference: np.ndarray = high.mean(axis=axis) - low.mean(axis=axis)
    return difference
