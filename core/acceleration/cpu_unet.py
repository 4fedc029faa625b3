"""The same network with less arithmetic on a processor: parts of a UNet in another form, equal but for rounding.

The parts were chosen by measurement (docs/performance.md), and a model keeps its own form wherever the conditions
that make the other form equal do not hold. Models to be trained are never given here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn import functional

from core.acceleration.attention import WIDTH, NarrowHeads
from core.acceleration.winograd import TILE, WinogradConvolution

if TYPE_CHECKING:
    from diffusers import UNet2DModel

_EDGES: Final = range(32, 65)  # pixels; on smaller pictures the weights, on larger ones the tiles outgrow the cache
_CHANNELS: Final = 128  # with fewer of them, the transforms cost more than the products save


def speed_up(model: UNet2DModel, precision: str) -> None:
    """Replace what is faster in another form on a processor; call it before the weights are cast.

    Args:
        model: fp32, on the CPU, to be evaluated there at its own image size and never trained. Changed in place; its
            ``state_dict`` is no longer a checkpoint's.
        precision: in which it will be evaluated.
    """
    from diffusers.models.attention_processor import Attention  # noqa: PLC0415 - takes seconds
    from diffusers.models.resnet import ResnetBlock2D  # noqa: PLC0415
    from diffusers.models.upsampling import Upsample2D  # noqa: PLC0415

    # Without MKL, batched products of small matrices are not known to be fast enough.
    if precision == "fp32" and torch.backends.mkl.is_available():
        for resnet in _of_middle_size(model):
            for name in ("conv1", "conv2"):
                convolution = getattr(resnet, name)
                if _is_3x3(convolution) and min(convolution.in_channels, convolution.out_channels) >= _CHANNELS:
                    setattr(resnet, name, WinogradConvolution(convolution))
    for module in list(model.modules()):
        if isinstance(module, Attention) and _is_plain(module):
            module.set_processor(NarrowHeads())
        for name, child in list(module.named_children()):
            if isinstance(child, Upsample2D) and _is_nearest_then_3x3(child):
                setattr(module, name, UpsampledConvolution(child.conv))
            elif isinstance(child, ResnetBlock2D) and _adds_the_timestep(child):
                setattr(module, name, BlockInPlace(child))


def _of_middle_size(model: UNet2DModel) -> Iterator[Any]:
    """The residual blocks whose pictures have one of ``_EDGES``; each level of a UNet halves the one above it."""
    from diffusers.models.resnet import ResnetBlock2D  # noqa: PLC0415

    for blocks in (model.down_blocks, reversed(model.up_blocks)):
        for level, block in enumerate(blocks):
            edge, rest = divmod(int(model.config["sample_size"]), 2**level)
            if rest == 0 and edge % TILE == 0 and edge in _EDGES:
                resnets: Any = block.resnets
                yield from (resnet for resnet in resnets if isinstance(resnet, ResnetBlock2D))


class BlockInPlace(torch.nn.Module):
    """A residual block that writes each sum and activation over what it is made of, instead of into new memory.

    What the block is given stays as it was. diffusers also divides the sum by a factor that is 1 in these models.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.norm1, self.conv1, self.time_emb_proj = block.norm1, block.conv1, block.time_emb_proj
        self.norm2, self.conv2, self.conv_shortcut = block.norm2, block.conv2, block.conv_shortcut

    def forward(self, hidden_states: torch.Tensor, temb: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) and the timestep's embedding (B, E) to (B, C', H, W)."""
        inner = self.conv1(functional.silu(self.norm1(hidden_states), inplace=True))
        inner += self.time_emb_proj(functional.silu(temb))[:, :, None, None]
        inner = self.conv2(functional.silu(self.norm2(inner), inplace=True))
        inner += hidden_states if self.conv_shortcut is None else self.conv_shortcut(hidden_states)
        return inner


class UpsampledConvolution(torch.nn.Module):
    """Nearest-neighbour doubling and a 3x3 convolution in one transposed convolution, with 4/9 of the products.

    Of the nine weights that meet a doubled pixel, those that meet the same original one are added up beforehand.
    """

    def __init__(self, convolution: torch.nn.Conv2d) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(_doubled(convolution.weight.detach()), requires_grad=False)
        self.bias = convolution.bias

    def forward(self, hidden_states: torch.Tensor, output_size: None = None) -> torch.Tensor:  # noqa: ARG002
        """(B, C, H, W) to (B, C', 2 H, 2 W); a UNet2DModel asks for no other size."""
        return functional.conv_transpose2d(hidden_states, self.weight, self.bias, stride=2, padding=1)


def _doubled(weight: torch.Tensor) -> torch.Tensor:
    """Weights of a 3x3 convolution, (O, I, 3, 3), to those of the transposed one, (I, O, 4, 4)."""
    mirrored = weight.flip(2, 3).transpose(0, 1)
    doubled = weight.new_zeros(weight.shape[1], weight.shape[0], 4, 4)
    for row in (0, 1):
        for column in (0, 1):
            doubled[:, :, row : row + 3, column : column + 3] += mirrored
    return doubled


def _is_plain(attention: Any) -> bool:
    """Whether a module is self-attention within an image, with narrow heads and nothing that ``NarrowHeads`` omits."""
    omitted = ("spatial_norm", "norm_q", "norm_k", "norm_cross", "added_kv_proj_dim", "add_k_proj", "to_add_out")
    return (
        attention.inner_dim // attention.heads < WIDTH
        and attention.group_norm is not None
        and not attention.is_cross_attention
        and all(getattr(attention, name, None) in (None, False) for name in omitted)
    )


def _adds_the_timestep(block: Any) -> bool:
    """Whether a residual block is of the kind that ``BlockInPlace`` is; dropout is nothing in evaluation."""
    return (
        (block.upsample, block.downsample) == (None, None)
        and block.time_emb_proj is not None
        and block.time_embedding_norm == "default"
        and not block.skip_time_act
        and isinstance(block.nonlinearity, torch.nn.SiLU)
        and block.output_scale_factor == 1.0
    )


def _is_nearest_then_3x3(upsample: Any) -> bool:
    return (
        upsample.use_conv
        and upsample.interpolate
        and upsample.norm is None
        and _is_3x3(getattr(upsample, "conv", None))
    )


def _is_3x3(convolution: Any) -> bool:
    return (
        isinstance(convolution, torch.nn.Conv2d)
        and (convolution.kernel_size, convolution.stride, convolution.padding) == ((3, 3), (1, 1), (1, 1))
        and (convolution.dilation, convolution.groups, convolution.padding_mode) == ((1, 1), 1, "zeros")
    )
