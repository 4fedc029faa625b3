"""3x3 convolutions in fp32 as 36 matrix products over tiles of 4x4 pixels, with a quarter of the multiplications.

Winograd's minimal filtering F(4x4, 3x3) as Lavin and Gray give it (2016, arXiv 1509.09308). The transforms to and from
tiles are matrix products too. Their constants cost digits: an output is off by some 5e-5 of its size where a direct sum
is by 1e-5, which no grey level shows, but which rules bf16 out.
"""

from __future__ import annotations

from typing import Final

import torch
from torch.nn import functional

TILE: Final = 4
_WINDOW: Final = 6  # a tile and one pixel around it
_FLOATS: Final = 2**21  # of the largest intermediate of a strip: 8 MiB, for the last level of cache

_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


class WinogradConvolution(torch.nn.Module):
    """A 3x3 convolution with stride and padding 1, to be evaluated in fp32 on a processor.

    The weights take four times the memory of the convolution that it is made from.
    """

    to_tiles: torch.Tensor
    from_tiles: torch.Tensor

    def __init__(self, convolution: torch.nn.Conv2d) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(_transformed(convolution.weight.detach()), requires_grad=False)
        self.bias = convolution.bias
        self.register_buffer("to_tiles", _both_ways(_INPUT), persistent=False)
        self.register_buffer("from_tiles", _both_ways(_OUTPUT), persistent=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to (B, C', H, W), channels-last; H and W are multiples of ``TILE``."""
        batch, channels, height, width = pictures.shape
        down, across, outputs = height // TILE, width // TILE, self.weight.shape[2]
        padded = functional.pad(pictures, (1, 1, 1, 1)).permute(0, 2, 3, 1).contiguous()
        picture, row, column, _ = padded.stride()
        windows = padded.as_strided(
            (_WINDOW, _WINDOW, batch, down, across, channels),
            (row, column, picture, TILE * row, TILE * column, 1),
        )
        found = pictures.new_empty(batch, height, width, outputs)
        tiles = found.view(batch, down, TILE, across, TILE, outputs).permute(2, 4, 0, 1, 3, 5)
        rows = max(1, _FLOATS // (_WINDOW**2 * across * max(channels, outputs)))
        for image in range(batch):
            for first in range(0, down, rows):
                strip = slice(first, first + rows)
                tiles[:, :, image, strip].copy_(self._strip(windows[:, :, image, strip]))
        return found.permute(0, 3, 1, 2)

    def _strip(self, windows: torch.Tensor) -> torch.Tensor:
        """Overlapping windows (6, 6, down, across, C) to tiles (4, 4, down, across, C')."""
        _, _, down, across, channels = windows.shape
        transformed = torch.mm(self.to_tiles, windows.reshape(_WINDOW**2, -1))
        products = torch.bmm(transformed.view(_WINDOW**2, down * across, channels), self.weight)
        tiles = torch.mm(self.from_tiles, products.view(_WINDOW**2, -1)).view(TILE, TILE, down, across, -1)
        return tiles if self.bias is None else tiles.add_(self.bias)


def _both_ways(rows: tuple[tuple[float, ...], ...]) -> torch.Tensor:
    """A transform of columns, (n, m), as one of pictures that lie in memory row by row, (n n, m m)."""
    once = torch.tensor(rows, dtype=torch.float32)
    return torch.kron(once, once).contiguous()


def _transformed(weight: torch.Tensor) -> torch.Tensor:
    """Weights (O, I, 3, 3) to (36, I, O)."""
    once = torch.tensor(_KERNEL, dtype=torch.float32)
    both = torch.kron(once, once)
    outputs, inputs = weight.shape[:2]
    flat = weight.float().permute(2, 3, 1, 0).reshape(9, inputs * outputs)
    return torch.mm(both, flat).view(_WINDOW**2, inputs, outputs)
