"""The networks that can be trained, by name and image size."""

from __future__ import annotations

import math
from typing import Any, Final

from core.errors import ArgumentError
from core.models.architectures import DEFAULT_UNET, DEMO_UNET, LATENT_UNET
from diffusion.conditioning import CONDITIONINGS
from diffusion.growing import inner_config, outer_config

SMALL_UNET: Final[dict[str, Any]] = {
    **DEFAULT_UNET,
    "layers_per_block": 1,
    "block_out_channels": (32, 64, 128, 128),
    "attention_head_dim": 64,
}
"""The default network's shape at a sixth of its weights: for laptops, for trying out, for few images."""

ARCHITECTURES: Final = ("default", "small", "demo", "latent")


def unet_config(architecture: str, size: int, conditioning: str) -> dict[str, Any]:
    """The configuration of a network: arguments of ``UNet2DModel``, or of ``build_unet`` where it takes metadata.

    "default" and "small" have the same levels at every size. "demo" has as many as the size needs, so that a network
    of one size grows into that of the next; below 64 pixels it is the network of 64.

    Raises:
        ArgumentError: no such architecture, or a size that it cannot have; the message says which it can.
    """
    if architecture == "latent":
        raise ArgumentError("The architecture latent needs an autoencoder; name one with --latent.")
    if architecture == "demo":
        return {**_demo(size), **CONDITIONINGS[conditioning].config()}
    base = {"default": DEFAULT_UNET, "small": SMALL_UNET}.get(architecture)
    if base is None:
        raise ArgumentError(f"There is no architecture {architecture!r}; choose from {', '.join(ARCHITECTURES)}.")
    step = 2 ** (len(base["block_out_channels"]) - 1)
    if size % step or not 2 * step <= size <= 1024:
        raise ArgumentError(f"The size {size} is not a multiple of {step} from {2 * step} to 1024.")
    return {**base, "sample_size": size, **CONDITIONINGS[conditioning].config()}


def latent_config(channels: int, latent_size: int, conditioning: str) -> dict[str, Any]:
    """The configuration of a network that denoises latents (channels, latent_size, latent_size).

    Raises:
        ArgumentError: the latents are too small or too large for the network.
    """
    if latent_size % 2 or not 4 <= latent_size <= 128:
        raise ArgumentError(f"Latents of {latent_size} positions a side are not an even number from 4 to 128.")
    facts = {"sample_size": latent_size, "in_channels": channels, "out_channels": channels}
    return {**LATENT_UNET, **facts, **CONDITIONINGS[conditioning].config()}


def grows_to(architecture: str, size: int) -> bool:
    """Whether a network of this size is better begun at half of it."""
    return architecture == "demo" and size > int(DEMO_UNET["sample_size"])


def check_final_size(architecture: str, size: int) -> None:
    """Whether images of this size can be what a run ends with.

    Raises:
        ArgumentError: the architecture cannot have the size, or is made for another one.
    """
    made_for = unet_config(architecture, size, "none")["sample_size"]
    if made_for != size:
        raise ArgumentError(f"The architecture {architecture} cannot end with {size} pixels; choose {made_for}.")


def _demo(size: int) -> dict[str, Any]:
    whole = int(DEMO_UNET["sample_size"])
    doublings = math.log2(size / whole) if size >= 8 else math.inf
    if doublings > 2 or doublings != int(doublings):
        raise ArgumentError(f"The size {size} is not one of demo's: {whole // 2}, {whole}, {2 * whole}, {4 * whole}.")
    if doublings < 0:
        return inner_config(DEMO_UNET)
    config = DEMO_UNET
    for _ in range(int(doublings)):
        config = outer_config(config)
    return config
