"""Grad-CAM: attributions of the positions in the last convolutional layer."""

from __future__ import annotations

import time
from typing import Final

import torch
from captum.attr import LayerAttribution, LayerGradCam

from xai.attribution import Attribution, AttributionOptions
from xai.classifier import Classifier
from xai.methods import method

LAYER: Final = "layer4"


@method("gradcam")
def grad_cam(classifier: Classifier, image: torch.Tensor, target: int, _: AttributionOptions) -> Attribution:
    """Compute Grad-CAM (Selvaraju et al., ICCV 2017) without its rectification, so that negative values are kept.

    For a ResNet, the values add up to the score minus the bias of the head, because its last layer is averaged and
    weighted.
    """
    started = time.perf_counter()
    explainer = LayerGradCam(classifier.logits, classifier.model.get_submodule(LAYER))
    coarse = explainer.attribute(image.to(classifier.device).detach().clone().requires_grad_(), target=target)
    coarse = coarse.detach().float()
    size = image.shape[-2:]
    values = LayerAttribution.interpolate(coarse, tuple(size), "bilinear") * (coarse.numel() / size.numel())
    details = {
        "title": "Grad-CAM",
        "summary": f"{LAYER}, {coarse.shape[-2]} x {coarse.shape[-1]} positions",
        "layer": LAYER,
        "places": coarse.shape[-2] * coarse.shape[-1],
        "seconds": time.perf_counter() - started,
    }
    return Attribution(values[0, 0].cpu().numpy(), "gradcam", target, details)
