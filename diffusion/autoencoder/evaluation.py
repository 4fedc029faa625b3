"""How well an autoencoder keeps real images: the floor of every figure of the models that denoise its latents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional

from core.models.autoencoders import AutoencoderWeights, build_autoencoder
from core.models.torchvision_shim import declare_missing_operators
from diffusion.autoencoder.crops import as_tensor, joined
from diffusion.autoencoder.losses import ImageNetFeatures, perceptual_distance
from evaluation.features.extractors import ImageNetNetwork
from evaluation.features.splits import halves
from evaluation.metrics.distribution import kid

declare_missing_operators()
from torchmetrics.functional.image import (  # noqa: E402 - imports torchvision, which needs the operators
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

_BATCH: Final = 8
_DIVISIONS: Final = 10
_LAPLACE: Final = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


@dataclass(frozen=True)
class Reconstruction:
    """Figures over a set of images.

    Attributes:
        images: how many.
        psnr, psnr_half: peak signal-to-noise ratio of the colours in dB, at full and at half size; mean over images.
        ssim: structural similarity, mean.
        perceptual: ``diffusion.autoencoder.losses.perceptual_distance``; 0 for equal images.
        sharpness: median of the ratio of the Laplacian's standard deviation to that of the real image; 1 is as sharp.
        dice: overlap of the decoded lesion masks with the real ones; None if there are no masks.
        kid: kernel distance of reconstructions of one half of the lesions to real images of the other half, by features
            of EfficientNet-Lite0; mean over ten divisions.
        kid_real: the same of real images to real images.
    """

    images: int
    psnr: float
    psnr_half: float
    ssim: float
    perceptual: float
    sharpness: float
    dice: float | None
    kid: float
    kid_real: float


class Reconstructor:
    """Encodes and decodes images."""

    def __init__(self, weights: AutoencoderWeights, device: torch.device) -> None:
        self.device, self.mask_channel = device, weights.mask_channel
        model = build_autoencoder(weights.class_name, weights.config)
        model.load_state_dict({name: tensor.float() for name, tensor in weights.state_dict.items()})
        self.model: Any = model.requires_grad_(False).eval().to(device)

    @torch.inference_mode()
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) in [-1, 1] to the same."""
        latents = self.model.encode(images.to(self.device), return_dict=False)[0]
        decoded: torch.Tensor = self.model.decode(latents, return_dict=False)[0].float()
        return decoded.clamp(-1, 1).cpu()


def evaluate(
    weights: AutoencoderWeights,
    pixels: np.ndarray,
    masks: np.ndarray | None,
    classes: Sequence[str],
    lesions: Sequence[str],
    device: torch.device,
) -> Reconstruction:
    """Reconstruct images that the autoencoder was not trained on, and compare.

    Args:
        weights: the autoencoder.
        pixels: uint8 (N, S, S, 3).
        masks: uint8 (N, S, S), 255 inside the lesion, 0 outside, 128 unknown; None for a model without masks.
        classes, lesions: of each image; the kernel distance divides the images by lesion.
        device: where the networks run.
    """
    reconstruct, features = Reconstructor(weights, device), ImageNetFeatures().to(device)
    rows: list[list[float]] = []
    decoded_pixels, overlap, area = [], 0.0, 0.0
    for real in _batches(pixels, masks if weights.mask_channel else None):
        decoded = reconstruct(real)
        rows += _figures(decoded[:, :3], real[:, :3], features, device)
        decoded_pixels.append(_to_pixels(decoded[:, :3]))
        if real.shape[1] == 4:
            known, inside, found = real[:, 3].abs() > 0.5, real[:, 3] > 0, decoded[:, 3] > 0
            overlap += 2 * float((inside & found & known).sum())
            area += float((inside & known).sum() + (found & known).sum())
    means = np.mean(rows, axis=0)
    distance, floor = _distances(np.concatenate(decoded_pixels), pixels, classes, lesions, device)
    return Reconstruction(
        images=len(pixels),
        psnr=float(means[0]),
        psnr_half=float(means[1]),
        ssim=float(means[2]),
        perceptual=float(means[3]),
        sharpness=float(np.median([row[4] for row in rows])),
        dice=overlap / area if area else None,
        kid=distance,
        kid_real=floor,
    )


def _batches(pixels: np.ndarray, masks: np.ndarray | None) -> Iterator[torch.Tensor]:
    for start in range(0, len(pixels), _BATCH):
        own = slice(start, start + _BATCH)
        yield as_tensor(joined(np.asarray(pixels[own]), None if masks is None else np.asarray(masks[own])))


@torch.inference_mode()
def _figures(
    decoded: torch.Tensor, real: torch.Tensor, features: ImageNetFeatures, device: torch.device
) -> list[list[float]]:
    found = []
    for one, other in zip(decoded.split(1), real.split(1), strict=True):
        half, other_half = functional.avg_pool2d(one, 2), functional.avg_pool2d(other, 2)
        similarity: Any = structural_similarity_index_measure(one, other, data_range=(-1.0, 1.0))
        distance = perceptual_distance(features(one.to(device)), features(other.to(device)))
        found.append(
            [
                float(peak_signal_noise_ratio(one, other, data_range=(-1.0, 1.0))),
                float(peak_signal_noise_ratio(half, other_half, data_range=(-1.0, 1.0))),
                float(similarity),
                float(distance),
                float(_laplacian(one) / _laplacian(other).clamp(min=1e-6)),
            ]
        )
    return found


def _laplacian(images: torch.Tensor) -> torch.Tensor:
    kernel = torch.tensor(_LAPLACE).view(1, 1, 3, 3)
    return functional.conv2d(images.mean(dim=1, keepdim=True), kernel).std()


def _to_pixels(images: torch.Tensor) -> np.ndarray:
    return images.add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy()


def _distances(
    decoded: np.ndarray, real: np.ndarray, classes: Sequence[str], lesions: Sequence[str], device: torch.device
) -> tuple[float, float]:
    network = ImageNetNetwork(device)
    columns = network.spaces[network.name]
    of_decoded, of_real = (
        np.concatenate([network.features(side[start : start + 16])[:, columns] for start in range(0, len(side), 16)])
        for side in (decoded, real)
    )
    rng = np.random.default_rng(0)
    values = []
    for division in range(_DIVISIONS):
        first, second = halves(np.array(classes), np.array(lesions), rng)
        size = min(len(first), len(second))
        if size < 2:
            return float("nan"), float("nan")
        values.append(
            [
                float(kid(side[first], of_real[second], size=size, subsets=1, seed=division)[0])
                for side in (of_decoded, of_real)
            ]
        )
    distance, floor = np.mean(values, axis=0)
    return float(distance), float(floor)
