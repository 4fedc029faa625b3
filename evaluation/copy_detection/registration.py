"""Align one image with another, rotated, mirrored or as a crop of it, and measure how well the two agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch.nn.functional import conv2d, pad

from evaluation.copy_detection.band_pass import band, orient, orientations, unit
from evaluation.features.image_loading import grey

_COARSE: Final = 48
_FINE: Final = 128
_WIDTHS: Final = tuple(round(_COARSE * share) for share in (1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6))
_REFINED: Final = 4
_REACH: Final = 3  # pixels searched around the coarse position
_WIDER: Final = 5  # pixels by which the refined width may differ
_LUMINANCE: Final = (0.299, 0.587, 0.114)
_SCALE: Final = _FINE / _COARSE
_WEAK: Final = 1e-3  # keeps the correlation of a flat window near zero


@dataclass(frozen=True)
class Placement:
    """Position of an image in another one: orientation 0 to 7, width and top left corner in pixels."""

    correlation: float
    orientation: int
    width: int
    top: int
    left: int


@dataclass(frozen=True)
class Match:
    """The reference image that agrees best.

    Attributes:
        index: position in the sequence of reference images.
        correlation: correlation of the colours after the best affine change of colour, 0 to 1 (first canonical
            correlation, H. Hotelling, Biometrika 28, 1936); a recoloured copy is still detected.
    """

    index: int
    correlation: float


def coarse_fields(pixels: np.ndarray) -> torch.Tensor:
    """Reference images uint8 (N, S, S, 3), filtered for the coarse search: (N, 48, 48)."""
    return torch.cat([band(grey(image), _COARSE) for image in pixels])


def best_match(image: np.ndarray, references: Sequence[np.ndarray] | np.ndarray, fields: torch.Tensor) -> Match:
    """Compare an image with each reference; all uint8 (S, S, 3). ``fields`` are ``coarse_fields`` of the references."""
    coarse = _coarse(grey(image), fields)
    order = sorted(range(len(references)), key=lambda index: -coarse[index].correlation)[:_REFINED]
    matches = [Match(index, _agreement(image, references[index], coarse[index])) for index in order]
    return max(matches, key=lambda match: match.correlation)


def _coarse(light: np.ndarray, fields: torch.Tensor) -> list[Placement]:
    """The best position in each field over all ``_WIDTHS``."""
    best = [Placement(-1.0, 0, _COARSE, 0, 0)] * len(fields)
    for width in _WIDTHS:
        tiles = unit(orientations(band(light, width, _COARSE)[0]))
        found = _correlations(fields[:, None], tiles)
        columns = found.shape[-1]
        values, indices = (part.tolist() for part in found.flatten(1).max(dim=1))
        for index, (value, where) in enumerate(zip(values, indices, strict=True)):
            if value > best[index].correlation:
                orientation, rest = divmod(where, columns * columns)
                best[index] = Placement(value, orientation, width, *divmod(rest, columns))
    return best


def _agreement(image: np.ndarray, reference: np.ndarray, coarse: Placement) -> float:
    """Refine a position at full size, then correlate the colours of the overlapping pixels."""
    turned = orient(image, coarse.orientation)
    light, colours = grey(turned), band(reference, _FINE)
    field = torch.einsum("c,chw->hw", torch.tensor(_LUMINANCE), colours)[None, None]
    best = Placement(-1.0, coarse.orientation, _FINE, 0, 0)
    middle = [(corner + coarse.width / 2) * _SCALE for corner in (coarse.top, coarse.left)]
    width = round(coarse.width * _SCALE)
    for candidate in range(max(_FINE // 2, width - _WIDER), min(_FINE, width + _WIDER) + 1):
        (top, bottom), (left, right) = (_window(centre, candidate) for centre in middle)
        tile = unit(band(light, candidate, _FINE))
        found = _correlations(field[..., top:bottom, left:right], tile)[0, 0]
        value, where = found.flatten().max(dim=0)
        if float(value) > best.correlation:
            down, across = divmod(int(where), found.shape[-1])
            best = Placement(float(value), coarse.orientation, candidate, top + down, left + across)
    window = colours[:, best.top : best.top + best.width, best.left : best.left + best.width]
    tile = band(turned, best.width, _FINE)
    return canonical_correlation(window.flatten(1).T.double(), tile.flatten(1).T.double())


def _window(centre: float, width: int) -> tuple[int, int]:
    """Start and end of the range in which a tile may be: a few pixels around its position, within the image."""
    start = min(max(0, round(centre - width / 2)), _FINE - width)
    return max(0, start - _REACH), min(_FINE, start + width + _REACH)


def _correlations(fields: torch.Tensor, tiles: torch.Tensor) -> torch.Tensor:
    """Normalised cross-correlation of tiles (T, W, W) of norm 1 with every window of fields (N, 1, H, H)."""
    width = tiles.shape[-1]
    mean = _window_sums(fields, width) / width**2
    length = (_window_sums(fields**2, width) - mean**2 * width**2).clamp(min=0).sqrt()
    return conv2d(fields, tiles[:, None]) / (length + _WEAK * width)


def _window_sums(fields: torch.Tensor, width: int) -> torch.Tensor:
    """Sum of every window of a width, from cumulative sums; (N, 1, H, W) to (N, 1, H - width + 1, …)."""
    sums = pad(fields.double(), (1, 0, 1, 0)).cumsum(dim=-1).cumsum(dim=-2)
    rows = sums[..., width:, :] - sums[..., :-width, :]
    return (rows[..., width:] - rows[..., :-width]).float()


def canonical_correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """First canonical correlation of two sets of columns (N, C), 0 to 1; 0 if either is constant."""
    bases = []
    for side in (first, second):
        centred = side - side.mean(dim=0)
        vectors, values, _ = torch.linalg.svd(centred, full_matrices=False)
        kept = values > max(1e-3 * float(values[0]), _WEAK * len(side) ** 0.5)
        if not kept.any():
            return 0.0
        bases.append(vectors[:, kept])
    return float(torch.linalg.svdvals(bases[0].T @ bases[1])[0].clamp(0, 1))
