"""Training batches that depend only on their number, so that a resumed run draws the same batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from classification.data.pixel_cache import Pixels
from classification.training.augmentation import USUAL, Augmentation
from classification.training.stages import Stages
from core.generation.seeds import stream_seed

_POWER: Final[Mapping[str, float]] = {"balanced": 1.0, "sqrt": 0.5, "none": 0.0}


def class_weights(labels: Sequence[int], classes: int, sampling: str) -> torch.Tensor:
    """Weight of each image in the draw, float64 (N,): a power of the class count, see ``job.SAMPLINGS``."""
    found = torch.tensor(labels)
    counts = torch.bincount(found, minlength=classes).clamp(min=1).double()
    return counts.pow(-_POWER[sampling])[found]


def group_weights(labels: Sequence[int], groups: Sequence[str]) -> torch.Tensor:
    """Weights that make the label independent of the group: P(group) P(label) / P(group, label), float64 (N,).

    F. Kamiran, T. Calders: Data preprocessing techniques for classification without discrimination, 2012.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    table = np.zeros((len(names), max(labels) + 1))
    np.add.at(table, (group, np.asarray(labels)), 1)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return torch.from_numpy((expected / np.maximum(table, 1))[group, np.asarray(labels)])


def drawn_shares(labels: Sequence[int], weights: torch.Tensor, classes: int) -> torch.Tensor:
    """Share of each class among the drawn images, float32 (classes,)."""
    shares = torch.zeros(classes, dtype=torch.float64).index_add_(0, torch.tensor(labels), weights)
    return (shares / shares.sum()).float()


@dataclass
class TrainingBatches(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Batch ``number``: drawn with replacement by weight, augmented, at the size of its stage.

    Attributes:
        pixels: the images, larger than their crops (``augmentation.source_size``).
        labels: output index of each image.
        weights: weight of each image in the draw, (N,).
        batch_size: images per batch over all processes.
        seed: seed of all random draws.
        stages: image size of each batch number.
        augmentation: one of ``augmentation.AUGMENTATIONS``.
        rank, world: this process takes every ``world``-th image of a batch, starting at ``rank``.
    """

    pixels: Pixels
    labels: Sequence[int]
    weights: torch.Tensor
    batch_size: int
    seed: int
    stages: Stages
    rank: int = 0
    world: int = 1
    augmentation: str = USUAL
    _augmentations: dict[int, Augmentation] = field(default_factory=dict, init=False)

    @cached_property
    def _targets(self) -> torch.Tensor:
        return torch.tensor(self.labels)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Images, uint8 (B, S, S, 3), and their output indices, int64 (B,)."""
        generator = torch.Generator().manual_seed(stream_seed(self.seed, number))
        rows = torch.multinomial(self.weights, self.batch_size, replacement=True, generator=generator)
        seeds = torch.randint(0, 2**31 - 1, (self.batch_size,), generator=generator)
        mine = slice(self.rank, None, self.world)
        size = self.stages.size(number)
        change = self._augmentations.setdefault(size, Augmentation(size, self.augmentation))
        pairs = zip(rows[mine].tolist(), seeds[mine].tolist(), strict=True)
        images = np.stack([change(self.pixels[row], seed) for row, seed in pairs])
        return torch.from_numpy(images), self._targets[rows[mine]]


class EpochBatches:
    """The batches of one epoch from the current step on, as an iterable for Lightning.

    After a resume within an epoch, Lightning restarts a loader at its beginning. This one starts at ``step()``, so no
    batch is repeated or left out, and it has no state to save.
    """

    def __init__(self, batches: TrainingBatches, per_epoch: int, workers: int, step: Callable[[], int]) -> None:
        self._batches, self._per_epoch, self._workers, self._step = batches, per_epoch, workers, step

    def __len__(self) -> int:
        return self._per_epoch

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        first = self._step()
        numbers = range(first, first - first % self._per_epoch + self._per_epoch)
        pinned = torch.cuda.is_available()
        return iter(
            DataLoader(self._batches, sampler=numbers, batch_size=None, num_workers=self._workers, pin_memory=pinned)
        )

    def state_dict(self) -> dict[str, Any]:
        """Empty: the step is sufficient. Lightning needs this method to accept a resume within an epoch."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Do nothing; see ``state_dict``."""


@dataclass(frozen=True)
class EvaluationBatches:
    """Unaltered images in order, each once. Iterated by Lightning and by ``prediction``.

    Attributes:
        pixels: the images.
        rows: rows of the images to use.
        labels: output index of each row; empty if they are not needed.
        batch_size: images per batch.
    """

    pixels: Pixels
    rows: Sequence[int]
    labels: Sequence[int]
    batch_size: int

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return map(self._batch, range(len(self)))

    def _batch(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Images, uint8 (B, S, S, 3), and their output indices, int64 (B,) or empty."""
        mine = slice(number * self.batch_size, (number + 1) * self.batch_size)
        images = np.stack([self.pixels[row] for row in self.rows[mine]])
        return torch.from_numpy(images), torch.tensor(self.labels[mine], dtype=torch.int64)
