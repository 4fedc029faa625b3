from __future__ import annotations

import pytest
import torch
from scipy.ndimage import label

from xai.regions import superpixels


@pytest.mark.parametrize("count", [1, 7, 32, 50])
def test_an_image_is_divided_into_regions_of_similar_size(image: torch.Tensor, count: int) -> None:
    regions = superpixels(image, count)
    areas = regions.flatten().bincount()
    assert regions.shape == (224, 224)
    assert len(areas) == count
    assert areas.min() > 0.1 * areas.float().mean()
    assert areas.max() < 4 * areas.float().mean()


def test_regions_follow_colours() -> None:
    """Almost no pixel of a bright disc on a dark background is in a region of the other brightness."""
    rows, columns = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    disc = ((rows - 100) ** 2 + (columns - 120) ** 2 < 60**2).float()
    regions = superpixels(disc.expand(1, 3, 224, 224).contiguous(), 24)
    areas = regions.flatten().bincount()
    bright = torch.zeros(24).index_add_(0, regions.flatten(), disc.flatten())
    assert torch.minimum(bright, areas - bright).sum() < 0.03 * areas.sum()


def test_regions_are_connected(image: torch.Tensor) -> None:
    regions = superpixels(image, 32).numpy()
    largest = [max((parts == part).sum() for part in range(1, parts.max() + 1)) for parts in _parts(regions)]
    assert sum(largest) > 0.9 * regions.size


def test_a_uniform_image_has_regions_and_always_the_same_ones() -> None:
    flat = torch.full((1, 3, 224, 224), 0.5)
    regions = superpixels(flat, 32)
    assert int(regions.max()) == 31
    assert torch.equal(regions, superpixels(flat, 32))


def _parts(regions: object) -> list[object]:
    return [label(regions == number)[0] for number in range(32)]
