"""SHAP over superpixels: the contribution of a region, averaged over orders of adding the regions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch
from captum.attr import ShapleyValueSampling

from xai.attribution import SCORE, Attribution, AttributionOptions
from xai.baselines import BASELINES
from xai.classifier import Classifier
from xai.methods import method
from xai.regions import superpixels


@method("shap")
def shap(classifier: Classifier, image: torch.Tensor, target: int, options: AttributionOptions) -> Attribution:
    """Compute Shapley values by sampling orders (Castro, Gómez, Tejada, 2009), each followed by its reverse.

    A pair of opposite orders is exact if regions interact only in pairs, and reduces the error otherwise (Mitchell,
    Cooper, Frank, Holmes: Sampling Permutations for Shapley Value Estimation, JMLR 2022). The pairs are independent,
    which gives the standard errors. Every pair, and therefore the values, add up to the score difference between image
    and baseline. The value of a region is distributed evenly over its pixels.
    """
    started = time.perf_counter()
    image = image.to(classifier.device)
    regions = superpixels(image, options.shap_regions)
    count = int(regions.max()) + 1
    pairs = max(2, options.shap_samples // (2 * count))  # the standard error needs at least two
    score = _score_of(classifier, image, BASELINES[options.baseline](image), regions, target)
    estimates = sampled_shapley_values(score, count, pairs, options.seed, options.chunk_size, image.device)
    contributions, errors = estimates.mean(dim=0), estimates.std(dim=0) / pairs**0.5
    areas = regions.flatten().bincount(minlength=count)
    values = (contributions / areas)[regions]
    error = float(errors.square().mean().sqrt())
    details = {
        "title": "SHAP",
        "summary": f"{2 * pairs * count} coalitions of {count} superpixels, baseline {options.baseline}, "
        f"standard error {error:.3f} {SCORE}",
        "samples": 2 * pairs * count,
        "regions": count,
        "baseline": options.baseline,
        "seed": options.seed,
        "contributions": contributions.tolist(),
        "standard_errors": errors.tolist(),
        "standard_error": error,
        "seconds": time.perf_counter() - started,
    }
    return Attribution(values.float().cpu().numpy(), "shap", target, details)


def sampled_shapley_values(
    score: Callable[[torch.Tensor], torch.Tensor],
    players: int,
    pairs: int,
    seed: int,
    chunk_size: int,
    device: torch.device,
) -> torch.Tensor:
    """Return independent estimates of Shapley values, each from an order of the players and its reverse.

    Args:
        score: maps presences (B, players) of 0 and 1 to the value of each coalition, (B,).
        players: number of players.
        pairs: number of pairs of orders.
        seed: seed of the orders.
        chunk_size: largest number of coalitions evaluated together.
        device: device of the presences.

    Returns:
        float32 (pairs, players).
    """
    generator = torch.Generator().manual_seed(seed)
    sampler = ShapleyValueSampling(score)

    def an_order_and_its_reverse(count: int, _: int) -> Iterator[list[int]]:
        order = torch.randperm(count, generator=generator).tolist()
        yield from (order, order[::-1])

    sampler.permutation_generator = an_order_and_its_reverse
    present = torch.ones(1, players, device=device)
    estimates = [sampler.attribute(present, perturbations_per_eval=chunk_size) for _ in range(pairs)]
    return torch.cat(estimates)


def _score_of(
    classifier: Classifier, image: torch.Tensor, baseline: torch.Tensor, regions: torch.Tensor, target: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Map presences (B, players) to scores (B,). The empty and the full coalition, used by all orders, are cached."""
    with_all, with_none = classifier.normalised(image), classifier.normalised(baseline)
    full, empty = classifier.scores(torch.cat([with_all, with_none]))[:, target]

    @torch.no_grad()
    def score(presences: torch.Tensor) -> torch.Tensor:
        counts = presences.sum(dim=1)
        values = torch.where(counts == 0, empty, full)
        between = (counts > 0) & (counts < presences.shape[1])
        if between.any():
            masks = presences[between].bool()[:, regions].unsqueeze(1)  # (B, 1, 224, 224)
            values[between] = classifier.scores(torch.where(masks, with_all, with_none))[:, target]
        return values

    return score
