from __future__ import annotations

import pytest
import torch
from scipy.ndimage import gaussian_filter

from xai.baselines import BASELINES, gaussian_blur


def test_the_blur_is_a_gaussian(image: torch.Tensor) -> None:
    found = gaussian_blur(image, 5.0)[0, 0].numpy()
    expected = gaussian_filter(image[0, 0].numpy(), 5.0, mode="mirror", truncate=3.0)
    assert found == pytest.approx(expected, abs=1e-5)


def test_blurred_keeps_the_colours_and_loses_the_structure(image: torch.Tensor) -> None:
    blurred = BASELINES["blurred"](image)
    assert torch.allclose(blurred.mean(dim=(2, 3)), image.mean(dim=(2, 3)), atol=0.03)
    assert blurred.diff(dim=3).abs().max() < 0.02
    assert image.diff(dim=3).abs().max() > 0.1


def test_black_is_black(image: torch.Tensor) -> None:
    assert not BASELINES["black"](image).any()


def test_mean_skin_is_the_colour_around_a_dark_lesion() -> None:
    skin = torch.tensor([0.8, 0.6, 0.5]).view(1, 3, 1, 1)
    picture = skin.expand(1, 3, 224, 224).clone()
    picture[:, :, 60:160, 60:160] = 0.2
    found = BASELINES["mean_skin"](picture)
    assert found.shape == picture.shape
    assert torch.allclose(found, skin.expand_as(found))


@pytest.mark.parametrize("name", BASELINES)
def test_a_tiny_image_has_baselines(name: str) -> None:
    assert BASELINES[name](torch.full((1, 3, 1, 1), 0.5)).shape == (1, 3, 1, 1)
