"""Random crops of real images with their masks; each batch is a function of its own number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch

from core.generation.seeds import stream_seed
from diffusion.batches import turned


class CropBatches:
    """Batches of crops with square-root class balance, turned and mirrored.

    Batch ``n`` is a function of ``(seed, n)`` alone, so a resumed run draws the batches that the uninterrupted run
    would have drawn.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        masks: np.ndarray | None,
        classes: Sequence[object],
        crop: int,
        batch_size: int,
        seed: int,
    ) -> None:
        """Prepare to draw.

        Args:
            pixels: uint8 (N, S, S, 3).
            masks: uint8 (N, S, S), 255 inside the lesion, 0 outside, 128 unknown; None for crops without a mask.
            classes: the class of each image.
            crop: height and width of a crop.
            batch_size: crops per batch.
            seed: of the run.
        """
        self.pixels, self.masks, self.crop, self.batch_size, self.seed = pixels, masks, crop, batch_size, seed
        counts = Counter(classes)
        self.weights = torch.tensor([float(counts[name]) for name in classes]).double().rsqrt()

    def batch(self, number: int) -> tuple[torch.Tensor, torch.Generator]:
        """Crops (B, C, crop, crop) float32 in [-1, 1], C = 4 with masks, and the generator for the step's noise."""
        generator = torch.Generator().manual_seed(stream_seed(self.seed, number))
        rows = torch.multinomial(self.weights, self.batch_size, replacement=True, generator=generator)
        turns = torch.randint(0, 8, (self.batch_size,), generator=generator)
        room = self.pixels.shape[1] - self.crop + 1
        corners = torch.randint(0, room, (self.batch_size, 2), generator=generator)
        drawn = zip(rows.tolist(), corners.tolist(), turns.tolist(), strict=True)
        crops = np.stack([turned(self._crop(row, *corner), turn) for row, corner, turn in drawn])
        return as_tensor(crops), generator

    def _crop(self, row: int, top: int, left: int) -> np.ndarray:
        window = (row, slice(top, top + self.crop), slice(left, left + self.crop))
        return joined(self.pixels[window], None if self.masks is None else self.masks[window])


def joined(pixels: np.ndarray, masks: np.ndarray | None) -> np.ndarray:
    """Images (..., 3) with the mask as their fourth channel, uint8."""
    return pixels if masks is None else np.concatenate([pixels, masks[..., None]], axis=-1)


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """Images uint8 (B, S, S, C) to float32 (B, C, S, S) in [-1, 1]; an unknown mask becomes about 0."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
