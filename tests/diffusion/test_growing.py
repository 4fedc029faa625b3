from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler
from torch.nn import functional

from diffusion.growing import equally_noisy_timesteps, grow, inner_config
from tests.conftest import SCHEDULER, TINY_UNET, tiny_unet

WHOLE = {
    **TINY_UNET,
    "block_out_channels": (8, 8, 16),
    "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
}

SCHEDULE = DDPMScheduler(**SCHEDULER)


def test_the_inner_part_is_the_network_of_half_the_size() -> None:
    assert inner_config(WHOLE) == {**TINY_UNET, "sample_size": 8}


def test_a_grown_network_starts_with_what_the_smaller_one_knows() -> None:
    """Images that vary slowly look alike at both sizes, and so do the answers, at the timestep of the same noise."""
    small = tiny_unet(1)
    large = tiny_unet(2, **WHOLE)
    large.load_state_dict(grow(small.state_dict(), WHOLE, SCHEDULE))
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(4, 3, 4, 4, generator=generator)
    half, whole = (functional.interpolate(coarse, size=size, mode="bicubic") for size in (48, 96))
    with torch.inference_mode():
        known, grown = small(half, equally_noisy_timesteps(SCHEDULE)[300]).sample, large(whole, 300).sample
    inside = slice(3, -3)  # away from the border, where zero padding reaches different shares of the image
    error = (functional.avg_pool2d(grown, 2) - known)[..., inside, inside].square().mean()
    assert error < 0.1 * known[..., inside, inside].var()


def test_every_weight_of_the_inner_part_is_kept() -> None:
    small = tiny_unet(1)
    grown = grow(small.state_dict(), WHOLE, SCHEDULE)
    kept = [
        tensor
        for name, tensor in grown.items()
        if not name.startswith(("down_blocks.0.", "up_blocks.2.", "up_blocks.1.upsamplers", "time_embedding"))
    ]
    before = [tensor for name, tensor in small.state_dict().items() if not name.startswith("time_embedding")]
    for one, other in zip(kept, before, strict=True):
        assert torch.equal(one, other)


def test_the_time_embedding_tells_of_the_noise_that_averaging_leaves() -> None:
    small, large = tiny_unet(1), tiny_unet(2, **WHOLE)
    large.load_state_dict(grow(small.state_dict(), WHOLE, SCHEDULE))
    known = equally_noisy_timesteps(SCHEDULE)
    with torch.inference_mode():
        expected = small.time_embedding(small.time_proj(known))
        found = large.time_embedding(large.time_proj(torch.arange(1000)))
        unshifted = small.time_embedding(small.time_proj(torch.arange(1000)))
    assert (found - expected).square().mean() < 0.5 * (unshifted - expected).square().mean()


def test_a_mean_of_four_pixels_is_as_noisy_as_an_earlier_timestep() -> None:
    known = equally_noisy_timesteps(SCHEDULE)
    signal = SCHEDULE.alphas_cumprod
    for timestep in (100, 300, 500, 700, 900):
        before = int(known[timestep].round())
        ratio = (signal[before] / (1 - signal[before])) / (signal[timestep] / (1 - signal[timestep]))
        assert abs(ratio - 4) < 0.1
    assert (known <= torch.arange(1000)).all()


def test_a_network_that_cannot_grow_says_so() -> None:
    with pytest.raises(ValueError, match="same width"):
        inner_config(TINY_UNET)
