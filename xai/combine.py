"""Several attributions of one image as one map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from xai.attribution import Attribution
from xai.baselines import gaussian_blur

COMBINED: Final = "combined"
PREFERRED: Final = ("ig", "shap")
"""Both say what a pixel adds to the score, at the resolution of the image; Grad-CAM knows 7 x 7 places alone."""
SMOOTHING_PX: Final = 6.0
"""Standard deviation of the Gaussian, in pixels of the classifier's 224, of which a superpixel is about 40 wide."""
STRONGEST: Final = 99.5
"""Percentile of the magnitudes that counts as 1: a few extreme pixels shall not make the rest invisible."""

_NOTHING: Final = 1e-9
"""Rounding errors: all pixels of such a map together change the score by less than a ten-thousandth."""


def smoothed(values: np.ndarray, sigma: float = SMOOTHING_PX) -> np.ndarray:
    """Blur a map (H, W) with a Gaussian of ``sigma`` pixels; float32 (H, W)."""
    blurred = gaussian_blur(torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None], sigma)
    return blurred[0, 0].numpy()


def normalised(values: np.ndarray) -> np.ndarray:
    """Scale a map so that its strongest pixels are 1 or -1; signs stay, nothing is shifted; float32 in [-1, 1]."""
    scale = scale_of(values)
    return np.clip(values / scale, -1, 1).astype(np.float32) if scale > 0 else np.zeros_like(values, np.float32)


def scale_of(values: np.ndarray) -> float:
    """What counts as 1 in a map: the 99.5th percentile of its magnitudes, else its maximum; 0 for an empty map."""
    magnitudes = np.abs(values)
    scale = float(np.percentile(magnitudes, STRONGEST)) or float(magnitudes.max())
    return scale if scale > _NOTHING else 0.0


def preferred(attributions: Sequence[Attribution]) -> Sequence[Attribution]:
    """Those that belong in the combination: Integrated Gradients and SHAP where they are, else whatever there is."""
    return [attribution for attribution in attributions if attribution.method in PREFERRED] or attributions


def combine(attributions: Sequence[Attribution], sigma: float = SMOOTHING_PX) -> Attribution:
    """Smooth every map, normalise it, and average: each method has the same say, whatever its unit.

    Smoothing comes first because it decides the scale at which methods agree: normalised before, the pixel noise of
    Integrated Gradients would set its weight, not what is left of it in the picture.

    Args:
        attributions: of one image and one target, at least one.
        sigma: of the Gaussian, in pixels.

    Returns:
        An attribution in [-1, 1] whose details name the methods and the scale of each.
    """
    scales, parts = {}, []
    for attribution in attributions:
        smooth = smoothed(attribution.values, sigma)
        scales[attribution.method] = scale_of(smooth)
        parts.append(normalised(smooth))
    titles = [str(attribution.details.get("title", attribution.method)) for attribution in attributions]
    made_of = f"mean of {', '.join(titles)}" if len(parts) > 1 else attributions[0].details.get("summary", "")
    details = {
        "title": "Combined" if len(parts) > 1 else f"{titles[0]}, smoothed",
        "summary": f"{made_of}, smoothed over {sigma:g} px",
        "methods": [attribution.method for attribution in attributions],
        "smoothing_px": sigma,
        "scales": scales,
    }
    return Attribution(np.stack(parts).mean(axis=0), COMBINED, attributions[0].target, details)
