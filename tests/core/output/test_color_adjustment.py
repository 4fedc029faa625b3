from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CheckpointError
from core.output.color_adjustment import ColorStatistics, adjust, load_color_statistics, measure
from tests.core.examples import noise

channel = st.tuples(*(st.floats(0, 255),) * 3)


def test_an_image_moves_35_percent_of_the_way() -> None:
    image = np.full((16, 16, 3), 100, np.uint8)
    assert (adjust(image, ColorStatistics((200, 100, 0), (0, 0, 0))) == [135, 100, 65]).all()


@pytest.mark.parametrize(("std", "scale"), [(127.0, 1.4), (10.0, 1.0), (1.0, 0.6), (12.0, 1.2)])
def test_the_scale_is_bounded(std: float, scale: float) -> None:
    image = np.tile(np.array([[90], [110]], np.uint8), (8, 16))[..., None].repeat(3, axis=2)  # mean 100, std 10
    adjusted = adjust(image, ColorStatistics((100, 100, 100), (std, std, std)))
    expected = round(100 + 10 * (0.65 + 0.35 * scale))
    assert adjusted.max() == expected


@given(channel, channel)
def test_any_target_gives_an_image(mean: tuple[float, float, float], std: tuple[float, float, float]) -> None:
    image = noise()
    adjusted = adjust(image, ColorStatistics(mean, std))
    assert adjusted.dtype == np.uint8
    assert adjusted.shape == image.shape
    # A monotone map of each channel: it changes colours, and adds no structure.
    for c in range(3):
        order = np.argsort(image[..., c], axis=None)
        assert (np.diff(adjusted[..., c].ravel()[order].astype(int)) >= 0).all()


def test_an_image_that_is_its_own_target_stays() -> None:
    assert np.abs(adjust(noise(), measure([noise()])).astype(int) - noise()).max() <= 1


def test_statistics_are_means_over_images() -> None:
    dark, bright = np.full((4, 4, 3), 10, np.uint8), np.full((4, 4, 3), 30, np.uint8)
    assert measure([dark, bright]) == ColorStatistics((20, 20, 20), (0, 0, 0))


def test_no_file_means_no_adjustment(tmp_path: Path) -> None:
    assert load_color_statistics(tmp_path) == {}


def test_the_file_of_the_contract_is_read(tmp_path: Path) -> None:
    text = '{"MEL": {"rgb": {"mean": [1, 2, 3], "std": [4, 5, 6]}}}'
    (tmp_path / "color_statistics.json").write_text(text)
    assert load_color_statistics(tmp_path) == {"MEL": ColorStatistics((1, 2, 3), (4, 5, 6))}


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"MEL": 1}', '{"MEL": {"rgb": {"mean": [1, 2], "std": [1, 2, 3]}}}']
    + [
        '{"MEL": {"rgb": {"mean": [1, 2, 256], "std": [1, 2, 3]}}}',
        '{"MEL": {"rgb": {"mean": [1, 2, NaN], "std": 1}}}',
        f'{{"MEL": {{"rgb": {{"mean": [1{"0" * 400}, 1, 1], "std": [1, 1, 1]}}}}}}',
        "[" * 200_000,
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "color_statistics.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"color_statistics\.json"):
        load_color_statistics(tmp_path)
