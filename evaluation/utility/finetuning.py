"""Train a whole network for the test of usefulness: EfficientNet-Lite0, started from ImageNet weights."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch

from evaluation.features.extractors import build_efficientnet
from evaluation.features.image_loading import resized
from xai.classifier import MEAN, STD

STEPS: Final = 300
_SIZE: Final = 128
_AT_ONCE: Final = 32
_RATE: Final = 1e-3


def train_network(
    inputs: np.ndarray,
    labels: np.ndarray,
    classes: int,
    seed: int,
    test: np.ndarray,
    *,
    device: torch.device | str = "cpu",
    steps: int = STEPS,
    batch_size: int = 32,
) -> np.ndarray:
    """The ``Trainer`` of a network: fine-tune all weights on class-balanced, randomly rotated and mirrored batches.

    Args:
        inputs: images uint8 (N, S, S, 3).
        labels: class index of each image.
        classes: number of outputs.
        seed: seed of the new layer and of the batches.
        test: images uint8 (M, S, S, 3).
        device: device to train on.
        steps: number of batches, independent of the number of images.
        batch_size: images per batch.

    Returns:
        Probabilities of the test images, (M, C).
    """
    targets = torch.from_numpy(labels.astype(np.int64))
    weights = 1 / torch.bincount(targets, minlength=classes).clamp(min=1).float()[targets]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _new_model(classes).to(device)
        optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            rows = torch.multinomial(weights, batch_size, replacement=True)
            pixels = np.stack([_turned(inputs[row], int(torch.randint(8, ()))) for row in rows.tolist()])
            scores = model(_normalised(pixels).to(device))
            loss = torch.nn.functional.cross_entropy(scores, targets[rows].to(device), label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return _probabilities(model, test, device)


def _new_model(classes: int) -> Any:
    model = build_efficientnet().requires_grad_(True).train()
    model._fc = torch.nn.Linear(model._fc.in_features, classes)
    return model.to(memory_format=torch.channels_last)


@torch.inference_mode()
def _probabilities(model: Any, pixels: np.ndarray, device: torch.device | str) -> np.ndarray:
    model.eval()
    chunks = [pixels[start : start + _AT_ONCE] for start in range(0, len(pixels), _AT_ONCE)]
    found = [model(_normalised(chunk).to(device)).softmax(dim=1).cpu() for chunk in chunks]
    return torch.cat(found).numpy()


def _normalised(pixels: np.ndarray) -> torch.Tensor:
    batch = np.stack([resized(image, _SIZE) for image in pixels])
    images = torch.from_numpy(batch).permute(0, 3, 1, 2).float() / 255
    return (images - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def _turned(image: np.ndarray, turn: int) -> np.ndarray:
    """Apply one of the eight symmetries of the square: dermoscopic images have no upright orientation."""
    turned = np.rot90(image, turn % 4)
    return np.ascontiguousarray(turned[:, ::-1] if turn >= 4 else turned)
