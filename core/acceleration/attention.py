"""Self-attention within an image whose heads have few channels, in fp32 on a processor.

With eight channels a head, the products of queries, keys and values are little work; what takes the time is the
exponential of every score, of which there are more than of anything else in the network. Torch's powers of two take a
third of the time of its exponential, and without a search for the largest score of each row nothing else happens to the
scores between the two products (docs/performance.md).
"""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch.nn import functional

WIDTH: Final = 16
"""Channels a head below which the attention kernel of torch's CPU build is slow."""

_LARGEST: Final = 96.0  # of a score, as a power of two: sums of thousands of 2**96, and 2**-96, are within fp32's ends
_FLOATS: Final = 2**21  # of the scores of a block of queries: 8 MiB, for the last level of cache
_QUERIES: Final = 16  # at least in a block: narrower products are slow


class NarrowHeads:
    """A processor for diffusers' ``Attention``, of plain self-attention within an image."""

    def __call__(self, attention: Any, hidden_states: torch.Tensor, temb: Any = None, **_: Any) -> torch.Tensor:  # noqa: ARG002
        """Attend within each image: (B, C, H, W) to (B, C, H, W).

        Args:
            attention: the diffusers module that holds the weights; it adds nothing to plain self-attention.
            hidden_states: (B, C, H, W).
            temb: the timestep, which diffusers passes to every processor; plain self-attention has no use for it.
            **_: likewise, a mask and other tokens to attend to; both None in a UNet2DModel.
        """
        batch, channels, height, width = hidden_states.shape
        # Normalised as a picture, a channels-last tensor becomes rows of pixels without being copied.
        normed = attention.group_norm(hidden_states).permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        query, key, value = (
            project(normed).view(batch, height * width, attention.heads, -1).transpose(1, 2).float()
            for project in (attention.to_q, attention.to_k, attention.to_v)
        )
        merged = attend(query, key, value).transpose(1, 2).reshape(batch, height * width, -1).to(normed.dtype)
        out = attention.to_out[0](merged).view(batch, height, width, channels).permute(0, 3, 1, 2)
        if attention.residual_connection:
            out = out + hidden_states
        return out / attention.rescale_output_factor


@torch.no_grad()
def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """``scaled_dot_product_attention``, equal but for rounding.

    Args:
        query: (B, heads, N, D), fp32, D at most ``WIDTH``.
        key: of the same shape.
        value: of the same shape.

    Returns:
        (B, heads, N, D).
    """
    scaled = query * (query.shape[-1] ** -0.5 * math.log2(math.e))
    # No score is larger than the lengths of its query and its key multiplied.
    bound = (scaled.norm(dim=-1).amax(-1) * key.norm(dim=-1).amax(-1)).max()
    # Without MKL, batched products of small matrices are not known to be fast enough. A bound that is NaN is not below.
    if torch.backends.mkl.is_available() and bool(bound < _LARGEST):
        return torch.stack([_of_image(*parts) for parts in zip(scaled, key, value, strict=True)])
    return _filled_up(query, key, value)


def _of_image(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attend with queries scaled to powers of two: (heads, N, D) each to (heads, N, D).

    Of the scores a column is a query, because products with eight rows are faster than with eight columns.
    """
    heads, pixels, width = query.shape
    queries, values, keys = query.mT.contiguous(), value.mT.contiguous(), key.contiguous()
    found = queries.new_empty(heads, width, pixels)
    together = min(pixels, max(_QUERIES, _FLOATS // (heads * pixels)))
    room = queries.new_empty(heads, pixels, together)
    for first in range(0, pixels, together):
        block = queries[:, :, first : first + together]
        scores = torch.bmm(keys, block, out=room[:, :, : block.shape[2]]).exp2_()
        part = torch.bmm(values, scores)
        found[:, :, first : first + together] = part.div_(scores.sum(1, keepdim=True))
    return found.mT


def _filled_up(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Torch's kernel on heads filled up with zeros to ``WIDTH`` channels: products with eight columns take it longer.

    Zeros add nothing to a product of queries and keys, and the channels that they make are cut off again.
    """
    width = query.shape[-1]
    query, key, value = (functional.pad(part, (0, WIDTH - width)) for part in (query, key, value))
    return functional.scaled_dot_product_attention(query, key, value, scale=width**-0.5)[..., :width]
