from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.output.image_file import read_pixels
from tests.xai.conftest import REAL_IMAGE
from xai.attribution import Attribution
from xai.combine import combine
from xai.overlay import Caption, blend, overlay_png


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return read_pixels(REAL_IMAGE)


def attribution(method: str = "ig") -> Attribution:
    values = np.zeros((224, 224), np.float32)
    values[40:90, 40:90], values[150:200, 150:200] = 1.0, -1.0
    return Attribution(values, method, 0, {"title": method.upper(), "summary": "8 steps, baseline blurred"})


def picture(pixels: np.ndarray, methods: tuple[str, ...] = ("ig", "shap"), **caption: object) -> np.ndarray:
    found = [attribution(name) for name in methods]
    data = overlay_png(
        pixels, found, combine(found), Caption(**{"heading": "Why?", "target": "MEL", "classifier": "x", **caption})
    )
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)


def test_an_empty_map_leaves_the_image_grey(pixels: np.ndarray) -> None:
    found = blend(pixels, np.zeros((224, 224)))
    assert found.shape == pixels.shape
    assert (found == found[..., :1]).all()
    grey = np.asarray(Image.fromarray(pixels).convert("L"), float)
    assert np.corrcoef(found[..., 0].ravel(), grey.ravel())[0, 1] > 0.999


def test_evidence_for_is_red_and_against_is_blue_at_the_right_position(pixels: np.ndarray) -> None:
    found = blend(pixels, attribution().values).astype(int)
    side = pixels.shape[0] / 224
    red, blue = (found[int(at * side), int(at * side)] for at in (65, 175))
    assert red[0] > red[2] + 80
    assert blue[2] > blue[0] + 80


def test_the_structure_of_the_lesion_is_visible(pixels: np.ndarray) -> None:
    found = blend(pixels, np.ones((224, 224))).astype(float)
    grey = np.asarray(Image.fromarray(pixels).convert("L"), float)
    assert np.corrcoef(found[..., 1].ravel(), grey.ravel())[0, 1] > 0.99
    assert found[..., 1].std() > 5


def test_the_map_takes_the_shape_of_the_image() -> None:
    found = blend(np.full((60, 300, 3), 128, np.uint8), attribution().values).astype(int)
    assert found.shape == (60, 300, 3)
    assert found[17, 87, 0] > found[17, 87, 2] + 50


def test_the_figure_has_a_panel_for_the_image_the_combination_and_each_method(pixels: np.ndarray) -> None:
    one, three = picture(pixels, ("ig",)), picture(pixels, ("ig", "shap", "gradcam"))
    assert three.shape[1] / one.shape[1] == 5 / 2


def test_a_notice_is_printed_in_red(pixels: np.ndarray) -> None:
    def red(found: np.ndarray) -> int:
        bottom = found[-60:]
        return int(((bottom[..., 0] > 140) & (bottom[..., 1] < 40) & (bottom[..., 2] < 40)).sum())

    assert red(picture(pixels)) == 0
    assert red(picture(pixels, notices=("The classifier's head is untrained.",))) > 100


def test_the_same_input_gives_the_same_figure(pixels: np.ndarray) -> None:
    assert np.array_equal(picture(pixels), picture(pixels))


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 3000, 3), (3000, 2, 3)])
def test_images_of_unusual_shape_are_drawn(shape: tuple[int, int, int]) -> None:
    assert picture(np.full(shape, 90, np.uint8), ("gradcam",)).size > 0


@pytest.mark.parametrize("text", ["$\\frac{$", "$x^{", "\udcff", "a\x1b\nb", "<b>"])
def test_names_in_the_picture_are_no_mathematics(pixels: np.ndarray, text: str) -> None:
    drawn = picture(pixels, ("ig",), heading=text, classifier=text, notices=(text,))
    assert drawn.shape == picture(pixels, ("ig",), notices=("x",)).shape
