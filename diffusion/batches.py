"""Batches: each one a function of its own number, so that a run can stop anywhere and go on as if it had not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.generation.seeds import stream_seed
from diffusion.conditioning import Conditioning

_TIMESTEPS = 1000
_FEWEST_PLACES = 64  # of the schedule that a validation looks at
_STRIDE = 389  # prime, so that a walk in such strides comes by every timestep once; neighbours get distant ones
_BRIGHTNESS, _CONTRAST, _SATURATION = 0.06, 0.08, 0.08


@dataclass(frozen=True)
class Batch:
    """What one training step needs of its images.

    Attributes:
        images: (B, 3, S, S) float32 in [-1, 1], or normalised latents (B, C, s, s), in the layout of the network.
        labels: as the conditioning gives them, or None.
        timesteps: (B,) in [0, 1000).
        noise: (B, 3, S, S), standard normal.
        features: feature maps of the images (B, 320, h, w) for ``diffusion.alignment``, or None.
    """

    images: torch.Tensor
    labels: torch.Tensor | None
    timesteps: torch.Tensor
    noise: torch.Tensor
    features: torch.Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        labels = None if self.labels is None else self.labels.to(device)
        return Batch(self.images.to(device), labels, self.timesteps.to(device), self.noise.to(device))

    def parts(self, count: int) -> list[Batch]:
        """The batch in ``count`` parts of equal length, for gradient accumulation."""
        if count == 1:
            return [self]
        every = (self.images, self.labels, self.timesteps, self.noise, self.features)
        parts = zip(*([None] * count if one is None else one.chunk(count) for one in every), strict=True)
        return [Batch(*part) for part in parts]


class BalancedBatches:
    """Batches drawn at random with square-root class balance, turned and mirrored, each from its own number.

    Batch ``n`` is a function of ``(seed, n)`` alone: a resumed run draws what the uninterrupted one would
    have drawn, and no state of a random number generator has to be saved. Nor does it depend on the number of
    processes: each makes its own share of the one batch.
    """

    def __init__(
        self, pixels: np.ndarray, classes: Sequence[object], batch_size: int, seed: int, jitter: bool = False
    ) -> None:
        """Prepare to draw.

        Args:
            pixels: uint8 (N, S, S, 3).
            classes: what is balanced, one an image.
            batch_size: images a batch, over all processes.
            seed: of the run.
            jitter: vary brightness, contrast and saturation a little.
        """
        self.pixels = pixels
        self.batch_size = batch_size
        self.seed = seed
        self.jitter = jitter
        counts = Counter(classes)
        self.weights = torch.tensor([float(counts[name]) for name in classes]).double().rsqrt()

    def batch(self, number: int, share: slice = slice(None)) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
        """Batch ``number``: images float32 in [-1, 1], the rows that they come from (B,), and its generator.

        The images are those of ``share``, (B', 3, S, S); rows and generator belong to the whole batch. The generator
        has drawn the images and how they are changed, and then draws the noise of the step.
        """
        generator = torch.Generator().manual_seed(stream_seed(self.seed, number))
        rows = torch.multinomial(self.weights, self.batch_size, replacement=True, generator=generator)
        turns = torch.randint(0, 8, (self.batch_size,), generator=generator)
        factors = torch.rand(3, self.batch_size, generator=generator) if self.jitter else None
        chosen = zip(rows[share].tolist(), turns[share].tolist(), strict=True)
        stacked = np.stack([turned(self.pixels[row], turn) for row, turn in chosen])
        images = torch.from_numpy(stacked).permute(0, 3, 1, 2)  # channels-last without a copy
        images = images.float().div_(127.5).sub_(1.0)
        return images if factors is None else jittered(images, factors[:, share]), rows, generator


class LatentBatches:
    """As ``BalancedBatches``, of latents that were encoded in all eight symmetries."""

    def __init__(
        self,
        latents: np.ndarray,
        statistics: tuple[Sequence[float], Sequence[float]],
        classes: Sequence[object],
        batch_size: int,
        seed: int,
        features: np.ndarray | None = None,
    ) -> None:
        """Prepare to draw.

        Args:
            latents: float16 (N, 8, C, s, s).
            features: float16 (N, 320, h, w), unturned; None for batches without features.
            statistics: mean and standard deviation of each channel, by which latents are normalised.
            classes: what is balanced, one an image.
            batch_size: latents per batch, over all processes.
            seed: of the run.
        """
        self.latents, self.features, self.batch_size, self.seed = latents, features, batch_size, seed
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in statistics)
        counts = Counter(classes)
        self.weights = torch.tensor([float(counts[name]) for name in classes]).double().rsqrt()

    def batch(self, number: int, share: slice = slice(None)) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
        """Batch ``number``: normalised latents float32 (B', C, s, s) of ``share``, all rows, and its generator."""
        rows, turns, generator = self._draw(number)
        chosen = zip(rows[share].tolist(), turns[share].tolist(), strict=True)
        return self.normalised(np.stack([self.latents[row, turn] for row, turn in chosen])), rows, generator

    def features_of(self, number: int, share: slice) -> torch.Tensor | None:
        """Feature maps of the images of ``batch(number, share)``, turned as they are: float32 (B', 320, h, w)."""
        if self.features is None:
            return None
        rows, turns, _ = self._draw(number)
        chosen = zip(rows[share].tolist(), turns[share].tolist(), strict=True)
        maps = [turned(self.features[row].transpose(1, 2, 0), turn).transpose(2, 0, 1) for row, turn in chosen]
        return torch.from_numpy(np.stack(maps).astype(np.float32))

    def _draw(self, number: int) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
        generator = torch.Generator().manual_seed(stream_seed(self.seed, number))
        rows = torch.multinomial(self.weights, self.batch_size, replacement=True, generator=generator)
        return rows, torch.randint(0, self.latents.shape[1], (self.batch_size,), generator=generator), generator

    def normalised(self, latents: np.ndarray) -> torch.Tensor:
        """Raw latents (B, C, s, s) to float32 with mean 0 and deviation 1 per channel."""
        return (torch.from_numpy(latents.astype(np.float32)) - self.mean) / self.std


class TrainingBatches:
    """Batches with their labels, timesteps and noise, on the device."""

    def __init__(
        self,
        batches: BalancedBatches | LatentBatches,
        labels: torch.Tensor,
        conditioning: Conditioning,
        device: torch.device,
        rank: int = 0,
        processes: int = 1,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.batches = batches
        self.labels = labels
        self.conditioning = conditioning
        self.device = device
        self.share = slice(rank, None, processes)
        self.layout = layout

    def batch(self, number: int) -> Batch:
        """This process's share of batch ``number``."""
        images, rows, generator = self.batches.batch(number, self.share)
        labels = self.conditioning.drop(self.labels[rows], generator)
        timesteps = spread_timesteps(len(rows), generator)
        features = self.batches.features_of(number, self.share) if isinstance(self.batches, LatentBatches) else None
        noise = self._noise((len(rows), *images.shape[1:]), generator)
        return Batch(
            images.to(self.device, non_blocking=True).contiguous(memory_format=self.layout),
            None if labels is None else labels[self.share].to(self.device, non_blocking=True),
            timesteps[self.share].to(self.device, non_blocking=True),
            noise[self.share].contiguous(memory_format=self.layout),
            None if features is None else features.to(self.device, non_blocking=True),
        )

    def _noise(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Noise of the whole batch, drawn on the device: a GPU draws in no time what would hold a processor up."""
        if self.device.type != "cpu":
            seed = int(torch.randint(0, 2**62, (), generator=generator))
            generator = torch.Generator(self.device).manual_seed(seed)
        return torch.randn(shape, generator=generator, device=self.device)


def spread_timesteps(count: int, generator: torch.Generator) -> torch.Tensor:
    """One timestep for each image of a batch, (B,) in [0, 1000): each is uniform, and together they cover the schedule.

    This lowers the variance of the gradient (D. Kingma et al., NeurIPS 2021, arXiv 2107.00630, appendix I.1).
    """
    offsets = torch.randperm(count, generator=generator) / count + torch.rand(1, generator=generator)
    return (offsets % 1.0 * _TIMESTEPS).long().clamp(max=_TIMESTEPS - 1)


def fixed_batches(
    images: torch.Tensor, labels: torch.Tensor, conditioned: bool, rank: int, processes: int
) -> list[Batch]:
    """Held-out images with timesteps and noise that never change: this process's share, 32 at a time.

    Each image has two timesteps or more; over all images they cover the schedule evenly. No label is withheld.

    Args:
        images: what the network denoises, float32 (N, C, S, S).
        labels: one per image.
        conditioned: whether the network takes labels.
        rank, processes: of this process.
    """
    count = len(images)
    total = count * max(2, -(-_FEWEST_PLACES // count))
    generator = torch.Generator().manual_seed(1)
    batches = []
    for start in range(0, total, 32):
        places = torch.arange(start, min(start + 32, total))
        noise = torch.randn((len(places), *images.shape[1:]), generator=generator)
        mine = slice(rank, None, processes)
        rows = places[mine] % count
        if len(rows):
            timesteps = (places[mine] * _STRIDE % total) * (_TIMESTEPS - 1) // (total - 1)
            batches.append(Batch(images[rows], labels[rows] if conditioned else None, timesteps, noise[mine]))
    return batches


def jittered(images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Vary brightness, contrast and saturation mildly: colour is a sign of disease, so it must stay what it is.

    Args:
        images: (B, 3, S, S) in [-1, 1].
        factors: (3, B) in [0, 1), where 0.5 changes nothing.
    """
    brightness, contrast, saturation = ((2 * factors - 1)[..., None, None, None]).to(images.device)
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * (1 + _SATURATION * saturation)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * (1 + _CONTRAST * contrast) + _BRIGHTNESS * brightness
    return images.clamp(-1, 1)


def turned(image: np.ndarray, turn: int) -> np.ndarray:
    """One of the eight symmetries of the square: dermoscopic images have no upright position."""
    rotated = np.rot90(image, turn % 4)
    return rotated[:, ::-1] if turn >= 4 else rotated
