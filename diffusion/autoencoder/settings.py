"""Everything that decides the outcome of an autoencoder's training, apart from the images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from core.errors import ArgumentError

CLASS_NAME: Final = "AutoencoderDC"
"""diffusers' deep compression autoencoder (J. Chen et al., ICLR 2025, arXiv 2410.10733). Its first stage moves pixels
into channels, so that no convolution runs at full resolution. Other autoencoders were not compared."""
_SIZES: Final = (64, 128, 256, 512)
_NARROWEST, _ENCODER_WIDEST, _DECODER_WIDEST = 32, 128, 256


@dataclass(frozen=True)
class AutoencoderSettings:
    """The settings of a run.

    Attributes:
        size: height and width of the images, in pixels.
        latent_size: height and width of the latents.
        latent_channels: channels of the latents.
        mask_channel: whether the images have a fourth channel, the lesion mask.
        crop: height and width of the random crops that a step trains on.
        batch_size: crops per step.
        steps: steps that train encoder and decoder to reconstruct.
        sharpening_steps: further steps that train the decoder alone, with an adversarial loss that restores fine
            detail. The encoder is frozen, so latents computed before stay valid.
        learning_rate, sharpening_rate: of AdamW in the two parts.
        perceptual: weight of the distance between features of EfficientNet-Lite0.
        adversarial: weight of the adversarial loss, relative to the gradient of the other losses.
        latent_noise: standard deviation of the noise on the latents, which keeps neighbouring latents alike.
        ema_decay: of the averaged weights.
        seed: of the first weights and of every batch.
        precision: ``fp32`` or ``bf16``.
        save_every, validate_every: steps between whole states, and between validations.

    Raises:
        ArgumentError: a number out of its range; the message names it.
    """

    size: int = 256
    latent_size: int = 16
    latent_channels: int = 16
    mask_channel: bool = True
    crop: int = 128
    batch_size: int = 8
    steps: int = 4300
    sharpening_steps: int = 2500
    learning_rate: float = 5e-4
    sharpening_rate: float = 2e-4
    perceptual: float = 0.1
    adversarial: float = 0.5
    latent_noise: float = 0.1
    ema_decay: float = 0.999
    seed: int = 0
    precision: str = "fp32"
    save_every: int = 250
    validate_every: int = 500

    def __post_init__(self) -> None:
        if self.size not in _SIZES:
            raise ArgumentError(f"The size {self.size} is not one of {', '.join(map(str, _SIZES))}.")
        levels = math.log2(self.size / self.latent_size) if self.latent_size > 0 else 0
        if levels != int(levels) or not 2 <= levels <= 6:
            raise ArgumentError(
                f"Latents of {self.latent_size} pixels do not fit images of {self.size}; choose "
                f"{self.size // 4}, {self.size // 8} or {self.size // 16}."
            )
        if self.crop % self.ratio or not 2 * self.ratio <= self.crop <= self.size:
            raise ArgumentError(
                f"The crop {self.crop} is not a multiple of {self.ratio} from {2 * self.ratio} to {self.size}."
            )
        if self.latent_channels not in (4, 8, 16, 32):
            raise ArgumentError(f"The number of latent channels {self.latent_channels} is not 4, 8, 16 or 32.")
        for name in ("batch_size", "save_every", "validate_every"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"The {name.replace('_', '-')} {getattr(self, name)} is not a positive number.")
        for name in ("steps", "sharpening_steps", "seed"):
            if not 0 <= getattr(self, name) < 2**31:
                raise ArgumentError(f"The {name.replace('_', '-')} {getattr(self, name)} is not a number from 0 up.")

    @property
    def ratio(self) -> int:
        """Image pixels along one side of a latent position."""
        return self.size // self.latent_size

    @property
    def total_steps(self) -> int:
        """Steps of both parts."""
        return self.steps + self.sharpening_steps

    def model_config(self) -> dict[str, Any]:
        """Arguments of ``diffusers.AutoencoderDC``."""
        levels = int(math.log2(self.ratio))
        widths = [_NARROWEST, *(min(_ENCODER_WIDEST, _NARROWEST * 2**level) for level in range(levels))]
        return {
            "in_channels": 3 + self.mask_channel,
            "latent_channels": self.latent_channels,
            "encoder_block_out_channels": widths,
            "decoder_block_out_channels": [*widths[:-1], min(_DECODER_WIDEST, 4 * widths[-2])],
            "encoder_layers_per_block": [0, *[1] * (levels - 1), 2],
            "decoder_layers_per_block": [0, 1, *[2] * (levels - 1)],
            "encoder_qkv_multiscales": [[] for _ in range(levels + 1)],
            "decoder_qkv_multiscales": [[] for _ in range(levels + 1)],
        }
