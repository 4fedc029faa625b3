"""Combine several attributions of one image into one map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from xai.attribution import Attribution
from xai.baselines import gaussian_blur

COMBINED: Final = "combined"
PREFERRED: Final = ("ig", "shap")
"""Both give the contribution of each pixel at the resolution of the image; Grad-CAM has a resolution of 7 x 7."""
SMOOTHING_PX: Final = 6.0
"""Standard deviation of the Gaussian in pixels of the 224 px image, in which a superpixel is about 40 px wide."""
STRONGEST: Final = 99.5
"""Percentile of the magnitudes that is scaled to 1, so that a few extreme pixels do not hide all others."""

_NOTHING: Final = 1e-9
"""Largest magnitude regarded as rounding: all pixels together then change the score by less than 0.0001."""


def smoothed(values: np.ndarray, sigma: float = SMOOTHING_PX) -> np.ndarray:
    """Blur a map (H, W) with a Gaussian of ``sigma`` pixels; return float32 (H, W)."""
    blurred = gaussian_blur(torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None], sigma)
    return blurred[0, 0].numpy()


def normalised(values: np.ndarray) -> np.ndarray:
    """Scale a map so that its strongest pixels are 1 or -1, without a shift; return float32 in [-1, 1]."""
    scale = scale_of(values)
    return np.clip(values / scale, -1, 1).astype(np.float32) if scale > 0 else np.zeros_like(values, np.float32)


def scale_of(values: np.ndarray) -> float:
    """Return the scale of a map: the 99.5th percentile of its magnitudes, else its maximum; 0 for an empty map."""
    magnitudes = np.abs(values)
    scale = float(np.percentile(magnitudes, STRONGEST)) or float(magnitudes.max())
    return scale if scale > _NOTHING else 0.0


def preferred(attributions: Sequence[Attribution]) -> Sequence[Attribution]:
    """Return the attributions to combine: Integrated Gradients and SHAP if present, otherwise all."""
    return [attribution for attribution in attributions if attribution.method in PREFERRED] or attributions


def combine(attributions: Sequence[Attribution], sigma: float = SMOOTHING_PX) -> Attribution:
    """Smooth and normalise every map, and average them. Each method has the same weight, independent of its unit.

    Smoothing comes first. Otherwise, the pixel noise of Integrated Gradients, which smoothing removes, would determine
    its scale.

    Args:
        attributions: attributions of one image and one target, at least one.
        sigma: standard deviation of the Gaussian in pixels.

    Returns:
        An attribution in [-1, 1]. Its details contain the methods and the scale of each.
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
