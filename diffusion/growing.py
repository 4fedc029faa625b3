"""Progressive growing: a network trained at half the size becomes the inner part of one with another level around it.

A UNet trained at 64 px and then shown images of 128 px sees everything at twice the scale: its features fit, its sense
of layout does not, and images with several small lesions come out. Wrapping it in one more level of full size keeps the
inner part at the scale that it knows (as in Karras et al. 2018, arXiv 1710.10196), and costs half the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from core.models.condition_embedding import build_unet

if TYPE_CHECKING:
    from diffusers import DDPMScheduler

_ITERATIONS = 1500  # of the fit of the time embedding; a second or two


def inner_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration without its outermost level, for images of half the size.

    Raises:
        ValueError: the two outermost levels differ, so that the inner network would not fit.
    """
    first, second = config["block_out_channels"][:2]
    if first != second or config["down_block_types"][0] != "DownBlock2D":
        raise ValueError("to grow, the two outermost levels must have the same width, and the outermost no attention")
    return {
        **config,
        "sample_size": config["sample_size"] // 2,
        "block_out_channels": tuple(config["block_out_channels"][1:]),
        "down_block_types": tuple(config["down_block_types"][1:]),
        "up_block_types": tuple(config["up_block_types"][:-1]),
    }


def outer_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with another outermost level around it, for images of twice the size."""
    return {
        **config,
        "sample_size": config["sample_size"] * 2,
        "block_out_channels": (config["block_out_channels"][0], *config["block_out_channels"]),
        "down_block_types": ("DownBlock2D", *config["down_block_types"]),
        "up_block_types": (*config["up_block_types"], "UpBlock2D"),
    }


def grow(
    inner: Mapping[str, torch.Tensor], config: Mapping[str, Any], scheduler: DDPMScheduler, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Weights of the larger network whose inner part is the smaller one.

    The new level begins as neutral as it can be: it averages 2x2 pixels on the way in, repeats them on the way
    out, and its residual branches are zero. Averaging halves the noise, so the inner part meets at timestep t the
    noise that it knows from an earlier one; the time embedding is fitted anew to tell it so.

    Args:
        inner: state_dict of ``build_unet(inner_config(config))``.
        config: of the larger network.
        scheduler: the training schedule of both.
        seed: of the weights that the new level begins with.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build_unet(config)
    _make_neutral(model)
    weights = model.state_dict()
    for name, tensor in inner.items():
        weights[_grown_name(name)] = tensor.clone()
    model.load_state_dict(weights)
    _shift_time(model, equally_noisy_timesteps(scheduler))
    return model.state_dict()


def equally_noisy_timesteps(scheduler: DDPMScheduler) -> torch.Tensor:
    """For each timestep, the one (not whole) at which an image of half the size is as noisy as this one's average.

    The mean of 2x2 pixels has a quarter of the noise's variance, so four times the signal-to-noise ratio.
    """
    signal = scheduler.alphas_cumprod.double()
    log_snr = (signal / (1 - signal)).log()  # falls with the timestep
    timesteps = np.interp(-(log_snr + math.log(4)), -log_snr, np.arange(len(log_snr)))
    return torch.from_numpy(timesteps).float()


def _shift_time(model: Any, known: torch.Tensor) -> None:
    """Fit the time embedding so that timestep t gives what ``known[t]`` gave before."""
    embedding = model.time_embedding
    with torch.no_grad():
        target = embedding(model.time_proj(known))
        places = model.time_proj(torch.arange(len(known)))
    optimizer = torch.optim.Adam(embedding.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _ITERATIONS)
    for _ in range(_ITERATIONS):
        loss = nn.functional.mse_loss(embedding(places), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    optimizer.zero_grad()


def _grown_name(name: str) -> str:
    """Down blocks are counted from outside, up blocks from inside: only the former move by one."""
    parts = name.split(".")
    if parts[0] == "down_blocks":
        parts[1] = str(int(parts[1]) + 1)
    return ".".join(parts)


@torch.no_grad()
def _make_neutral(model: Any) -> None:
    entry, exit_, before_exit = model.down_blocks[0], model.up_blocks[-1], model.up_blocks[-2]
    for resnet in (*entry.resnets, *exit_.resnets):
        nn.init.zeros_(resnet.conv2.weight)
        nn.init.zeros_(resnet.conv2.bias)
    average = torch.zeros(3, 3)
    average[1:, 1:] = 0.25  # with stride 2 and padding 1 these taps cover pixels 2i and 2i + 1
    _set_diagonal(entry.downsamplers[0].conv, average)
    centre = torch.zeros(3, 3)
    centre[1, 1] = 1.0
    _set_diagonal(before_exit.upsamplers[0].conv, centre)
    for resnet in exit_.resnets:  # takes what comes from inside and leaves out what skips over
        _set_diagonal(resnet.conv_shortcut, torch.ones(1, 1))


def _set_diagonal(convolution: nn.Conv2d, kernel: torch.Tensor) -> None:
    """Make a convolution apply ``kernel`` to each of its first input channels by itself."""
    nn.init.zeros_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    for channel in range(convolution.out_channels):
        convolution.weight[channel, channel] = kernel
