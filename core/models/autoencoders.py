"""The autoencoder of a latent model: read from a checkpoint, checked, and used to decode latents into images and masks.

Latent diffusion: R. Rombach et al., CVPR 2022, arXiv 2112.10752.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch

from core.errors import CheckpointError
from core.models.checkpoint_checks import DAMAGED, check_autoencoder, check_tensors, first_sentence
from core.models.torchvision_shim import declare_missing_operators

CLASSES: Final = ("AutoencoderDC", "AutoencoderKL", "AutoencoderTiny", "VQModel")
"""The diffusers classes that a checkpoint may name. Nothing is imported by a name from a file."""
_MOST_CHANNELS: Final = 256
_LARGEST_RATIO: Final = 64
_LARGEST_LATENT: Final = 1e30  # also for whole numbers that no float holds


@dataclass(frozen=True)
class AutoencoderWeights:
    """An autoencoder as a file holds it.

    Attributes:
        class_name: one of ``CLASSES``.
        config: arguments of that class.
        state_dict: its weights, on the CPU, in the dtype of the file.
        mean, std: of each latent channel over the training images; the UNet denoises ``(latent - mean) / std``.
        mask_channel: whether a fourth image channel holds the lesion mask, 1 inside and -1 outside.
    """

    class_name: str
    config: dict[str, Any]
    state_dict: dict[str, torch.Tensor] = field(repr=False)
    mean: tuple[float, ...]
    std: tuple[float, ...]
    mask_channel: bool

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return int(self.config["latent_channels"])

    @property
    def ratio(self) -> int:
        """Image pixels along one side of a latent position."""
        return _ratio(self.class_name, self.config)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(tensor.numel() for tensor in self.state_dict.values())

    def without_weights(self) -> AutoencoderWeights:
        """The same without its tensors, which keep the file mapped into memory."""
        return replace(self, state_dict={})

    def to_content(self) -> dict[str, Any]:
        """The entry ``autoencoder`` of a checkpoint file."""
        return {
            "class": self.class_name,
            "config": dict(self.config),
            "state_dict": dict(self.state_dict),
            "mean": list(self.mean),
            "std": list(self.std),
            "mask_channel": self.mask_channel,
        }

    def build(self, device: torch.device | str = "cpu") -> LatentDecoder:
        """The decoder, ready to use. It always computes in fp32, because bf16 has too few digits for smooth colours."""
        return LatentDecoder(self, device)


class LatentDecoder:
    """Turns latents into images and lesion masks."""

    def __init__(self, weights: AutoencoderWeights, device: torch.device | str) -> None:
        model = empty_autoencoder(weights.class_name, weights.config)
        copied = {name: tensor.to(torch.float32, copy=True) for name, tensor in weights.state_dict.items()}
        model.load_state_dict(copied, assign=True)
        model.requires_grad_(False).eval()
        self.model = torch.nn.Module.to(model, device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        shape = (1, -1, 1, 1)
        self._mean = torch.tensor(weights.mean, device=device).reshape(shape)
        self._std = torch.tensor(weights.std, device=device).reshape(shape)
        self.mask_channel = weights.mask_channel

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Decode normalised latents, each image by itself, so that an image does not depend on its batch.

        Args:
            latents: (B, C, s, s) float32, as the UNet denoises them.

        Returns:
            Images (B, 3, S, S) float32 in [-1, 1], and lesion masks (B, S, S), bool; None if the model has none.
        """
        raw = (latents.float() * self._std + self._mean).contiguous(memory_format=torch.channels_last)
        decoded = torch.cat([self.model.decode(one, return_dict=False)[0] for one in raw.split(1)]).float()
        images = decoded[:, :3].clamp(-1.0, 1.0)
        return images, decoded[:, 3] > 0 if self.mask_channel else None


def read_autoencoder(path: Path, content: object) -> AutoencoderWeights:
    """Check the entry ``autoencoder`` of a checkpoint.

    Raises:
        CheckpointError: it is missing, names an unknown class, or its weights do not fit its configuration.
    """
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} is a latent model without its autoencoder; export it again with both parts.")
    class_name, config, weights = content.get("class"), content.get("config"), content.get("state_dict")
    if not isinstance(class_name, str) or class_name not in CLASSES:
        raise CheckpointError(f"{path} names the autoencoder {class_name!r}; known are {', '.join(CLASSES)}.")
    if not isinstance(config, Mapping) or not isinstance(weights, Mapping):
        raise CheckpointError(f"{path} has an autoencoder without a configuration or without weights.")
    mask_channel = content.get("mask_channel", False)
    config = dict(config)
    check_autoencoder(path, config)
    _check_config(path, class_name, config, mask_channel)
    mean = _numbers(path, content, "mean", config["latent_channels"])
    std = _numbers(path, content, "std", config["latent_channels"])
    if min(std) <= 0:
        raise CheckpointError(f"{path} has a standard deviation of latents that is not positive ({min(std)}).")
    _check_weights(path, class_name, config, weights)
    return AutoencoderWeights(class_name, config, dict(weights), mean, std, mask_channel)


def empty_autoencoder(class_name: str, config: Mapping[str, Any]) -> Any:
    """The architecture without memory for its weights."""
    with torch.device("meta"):
        return build_autoencoder(class_name, config)


def build_autoencoder(class_name: str, config: Mapping[str, Any]) -> Any:
    """An autoencoder with random weights; ``class_name`` is one of ``CLASSES``."""
    declare_missing_operators()
    from diffusers import AutoencoderDC, AutoencoderKL, AutoencoderTiny, VQModel  # noqa: PLC0415 - takes seconds

    known: dict[str, Any] = dict(zip(CLASSES, (AutoencoderDC, AutoencoderKL, AutoencoderTiny, VQModel), strict=True))
    return known[class_name](**config)


def _ratio(class_name: str, config: Mapping[str, Any]) -> int:
    levels = {
        "AutoencoderDC": "decoder_block_out_channels",
        "AutoencoderKL": "block_out_channels",
        "VQModel": "block_out_channels",
    }
    return 2 ** (len(config[levels.get(class_name, "decoder_block_out_channels")]) - 1)


def _check_config(path: Path, class_name: str, config: dict[str, Any], mask_channel: object) -> None:
    channels = config.get("latent_channels")
    if not isinstance(channels, int) or isinstance(channels, bool) or not 1 <= channels <= _MOST_CHANNELS:
        raise CheckpointError(f"{path} has an autoencoder of {channels!r} latent channels, not 1 to {_MOST_CHANNELS}.")
    if not isinstance(mask_channel, bool):
        raise CheckpointError(f"{path} has an autoencoder whose mask_channel is {mask_channel!r}, not true or false.")
    images = config.get("in_channels", 3)
    if images != 3 + mask_channel:
        raise CheckpointError(f"{path} has an autoencoder of {images!r} image channels, not {3 + mask_channel}.")
    try:
        ratio = _ratio(class_name, config)
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path} describes an autoencoder without its block_out_channels.") from error
    if ratio > _LARGEST_RATIO:
        raise CheckpointError(
            f"{path} has an autoencoder that reduces images {ratio} times, not 1 to {_LARGEST_RATIO}."
        )


def _numbers(path: Path, content: Mapping[str, Any], name: str, count: int) -> tuple[float, ...]:
    values = content.get(name)
    good = isinstance(values, (list, tuple)) and len(values) == count
    if not good or not all(isinstance(v, (int, float)) and abs(v) < _LARGEST_LATENT for v in values):  # type: ignore[union-attr]
        raise CheckpointError(f"{path} does not give the {name} of its {count} latent channels as finite numbers.")
    return tuple(float(value) for value in values)  # type: ignore[union-attr]


def _check_weights(path: Path, class_name: str, config: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
    check_tensors(path, weights)
    try:
        expected = empty_autoencoder(class_name, config).state_dict()
    except DAMAGED as error:
        raise CheckpointError(
            f"{path} describes an autoencoder that cannot be built ({first_sentence(error)})."
        ) from error
    for name, tensor in expected.items():
        found = weights.get(name)
        if not isinstance(found, torch.Tensor) or found.shape != tensor.shape or not found.is_floating_point():
            raise CheckpointError(f"{path} has an autoencoder whose weight {name} is missing or has another shape.")
        if not bool(torch.isfinite(found).all()):
            raise CheckpointError(f"{path} has an autoencoder whose weight {name} is not finite; download it again.")
    extra = sorted(set(weights) - set(expected))
    if extra:
        raise CheckpointError(f"{path} has an autoencoder with the unknown weight {extra[0]}.")
