"""Integrated Gradients: the contribution of every pixel on the path from a baseline to the image."""

from __future__ import annotations

import time

import torch
from captum.attr import IntegratedGradients

from xai.attribution import SCORE, Attribution, AttributionOptions
from xai.baselines import BASELINES
from xai.classifier import Classifier
from xai.methods import method


@method("ig")
def integrated_gradients(
    classifier: Classifier, image: torch.Tensor, target: int, options: AttributionOptions
) -> Attribution:
    """Compute Integrated Gradients (Sundararajan, Taly, Yan, ICML 2017) with Gauss-Legendre quadrature.

    The values add up to the score difference between image and baseline, up to the convergence delta.
    """
    started = time.perf_counter()
    image = image.to(classifier.device)
    baseline = BASELINES[options.baseline](image)
    values = IntegratedGradients(classifier.logits).attribute(
        image, baseline, target=target, n_steps=options.ig_steps, internal_batch_size=options.chunk_size
    )
    with torch.no_grad():
        score, baseline_score = classifier.logits(torch.cat([image, baseline]))[:, target].tolist()
    delta = float(values.sum()) - (score - baseline_score)
    details = {
        "title": "Integrated Gradients",
        "summary": f"{options.ig_steps} steps, baseline {options.baseline}, convergence delta {delta:+.3f} {SCORE}",
        "steps": options.ig_steps,
        "baseline": options.baseline,
        "score": score,
        "baseline_score": baseline_score,
        "convergence_delta": delta,
        "seconds": time.perf_counter() - started,
    }
    return Attribution(values.sum(dim=1)[0].detach().float().cpu().numpy(), "ig", target, details)
