from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from diffusion.growing import grow, inner_config
from tests.conftest import TINY_UNET, tiny_unet

WHOLE = {
    **TINY_UNET,
    "block_out_channels": (8, 8, 16),
    "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
}


def test_the_inner_part_is_the_network_of_half_the_size() -> None:
    assert inner_config(WHOLE) == {**TINY_UNET, "sample_size": 8}


def test_a_grown_network_starts_with_what_the_smaller_one_knows() -> None:
    """Images that vary slowly look alike at both sizes, and so do the answers."""
    small = tiny_unet(1)
    large = tiny_unet(2, **WHOLE)
    large.load_state_dict(grow(small.state_dict(), WHOLE))
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(4, 3, 4, 4, generator=generator)
    half, whole = (functional.interpolate(coarse, size=size, mode="bicubic") for size in (48, 96))
    with torch.inference_mode():
        known, grown = small(half, 300).sample, large(whole, 300).sample
    inside = slice(3, -3)  # away from the border, where zero padding reaches different shares of the image
    error = (functional.avg_pool2d(grown, 2) - known)[..., inside, inside].square().mean()
    assert error < 0.1 * known[..., inside, inside].var()


def test_every_weight_of_the_inner_part_is_kept() -> None:
    small = tiny_unet(1)
    grown = grow(small.state_dict(), WHOLE)
    kept = [
        tensor
        for name, tensor in grown.items()
        if not name.startswith(("down_blocks.0.", "up_blocks.2.", "up_blocks.1.upsamplers"))
    ]
    assert len(kept) == len(small.state_dict())
    for one, other in zip(kept, small.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_a_network_that_cannot_grow_says_so() -> None:
    with pytest.raises(ValueError, match="same width"):
        inner_config(TINY_UNET)
