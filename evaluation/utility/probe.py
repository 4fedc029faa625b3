"""A small classifier on frozen features, always trained in the same way."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

STEPS: Final = 400
_BATCH: Final = 128
_RATE: Final = 2e-3
_DECAY: Final = 1e-2
_DROPOUT: Final = 0.3
_WIDTH: Final = 128


class Head:
    """Standardised features, one hidden layer, one output per class."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int, seed: int, steps: int = STEPS) -> None:
        """Train on batches that draw every class equally often.

        Args:
            features: (N, D).
            labels: class index of each row, (N,).
            classes: number of outputs; classes without an image are never drawn.
            seed: seed of weights, batches and dropout.
            steps: number of batches, independent of the number of images.
        """
        rows = torch.from_numpy(np.ascontiguousarray(features, np.float32))
        self._mean, self._scale = rows.mean(dim=0), rows.std(dim=0, unbiased=False).clamp(min=1e-3)
        targets = torch.from_numpy(labels.astype(np.int64))
        weights = 1 / torch.bincount(targets, minlength=classes).clamp(min=1).float()[targets]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._model = torch.nn.Sequential(
                torch.nn.Linear(rows.shape[1], _WIDTH),
                torch.nn.ReLU(),
                torch.nn.Dropout(_DROPOUT),
                torch.nn.Linear(_WIDTH, classes),
            )
            self._fit((rows - self._mean) / self._scale, targets, weights, steps)

    def _fit(self, rows: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, steps: int) -> None:
        optimizer = torch.optim.AdamW(self._model.parameters(), lr=_RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        self._model.train()
        for _ in range(steps):
            batch = torch.multinomial(weights, _BATCH, replacement=True)
            loss = torch.nn.functional.cross_entropy(self._model(rows[batch]), targets[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        self._model.eval()

    @torch.inference_mode()
    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probabilities (N, C) of features (N, D)."""
        rows = torch.from_numpy(np.ascontiguousarray(features, np.float32))
        return np.asarray(self._model((rows - self._mean) / self._scale).softmax(dim=1).numpy())
