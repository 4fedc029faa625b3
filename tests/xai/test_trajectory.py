"""A trajectory is explained only if it ends in the saved image."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.generation.job import GenerationJob
from core.generation.runner import run
from core.generation.trajectory import trajectory_file
from core.output.image_file import read_parameters, read_pixels, write_image
from tests.conftest import tiny_unet, write_checkpoint
from tests.xai.conftest import REAL_IMAGE
from xai.trajectory import RECORDED, REPRODUCED, Traced, trace

STEPS = 5


@pytest.fixture
def made(tiny_checkpoints: Path, tmp_path: Path) -> Any:
    def make(*, record: bool, **settings: Any) -> Path:
        defaults = {"steps": STEPS, "device": "cpu", "precision": "fp32", "record_trajectory": record}
        list(run(GenerationJob({"MEL": 1}, tiny_checkpoints, tmp_path / "o", **{**defaults, **settings})))
        return tmp_path / "o" / "MEL" / "ISIC_0000001.png"

    return make


def traced(image: Path, checkpoints: Path) -> tuple[Traced, list[tuple[int, int]]]:
    steps, seen = trace(image, checkpoints, None), []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as end:
            return end.value, seen


def test_a_recorded_trajectory_is_read_and_nothing_is_denoised(made: Any, tmp_path: Path) -> None:
    image = made(record=True)
    found, seen = traced(image, tmp_path / "no_checkpoints")
    assert found.warnings == ()
    assert seen == []
    assert found.trajectory is not None
    assert (found.trajectory.origin, found.trajectory.maximum_difference) == (RECORDED, 0)
    assert np.array_equal(found.trajectory.frames[-1], read_pixels(image))


@pytest.mark.parametrize("color", [True, False])
def test_a_reproduced_trajectory_equals_the_recorded_one(made: Any, tiny_checkpoints: Path, color: bool) -> None:
    if color:
        statistics = '{"MEL": {"rgb": {"mean": [200, 100, 50], "std": [20, 20, 20]}}}'
        (tiny_checkpoints / "color_statistics.json").write_text(statistics)
    image = made(record=True)
    recorded, _ = traced(image, tiny_checkpoints)
    trajectory_file(image).unlink()
    repeated, seen = traced(image, tiny_checkpoints)
    assert seen == [(step, STEPS) for step in range(1, STEPS + 1)]
    assert repeated.trajectory is not None
    assert recorded.trajectory is not None
    assert repeated.trajectory.origin == REPRODUCED
    assert repeated.trajectory.timesteps == recorded.trajectory.timesteps
    assert np.array_equal(repeated.trajectory.frames, recorded.trajectory.frames)
    assert np.array_equal(repeated.trajectory.frames[-1], read_pixels(image))


def test_early_steps_use_the_colour_adjustment_of_the_image(made: Any, tiny_checkpoints: Path) -> None:
    plain, _ = traced(made(record=True, color_adjustment=False), tiny_checkpoints)
    statistics = '{"MEL": {"rgb": {"mean": [250, 250, 250], "std": [20, 20, 20]}}}'
    (tiny_checkpoints / "color_statistics.json").write_text(statistics)
    made(record=True)
    image = tiny_checkpoints.parent / "o" / "MEL" / "ISIC_0000002.png"
    shutil.copy(image, image.with_name("ISIC_0000009.png"))  # without its recorded trajectory
    adjusted, _ = traced(image.with_name("ISIC_0000009.png"), tiny_checkpoints)
    assert plain.trajectory is not None
    assert adjusted.trajectory is not None
    last = adjusted.trajectory.frames[-1].mean(axis=(0, 1))
    first = adjusted.trajectory.frames[0].mean(axis=(0, 1))
    assert np.abs(first - last).max() > 1  # adjusted one by one, all would have nearly the same mean


def test_a_changed_image_is_not_explained_by_another_trajectory(made: Any, tiny_checkpoints: Path) -> None:
    image = made(record=True)
    pixels = read_pixels(image).copy()
    pixels[3, 4, 1] = (int(pixels[3, 4, 1]) + 128) % 256
    parameters = read_parameters(image)
    image.unlink()
    write_image(image, pixels, parameters)
    found, _ = traced(image, tiny_checkpoints)
    assert found.trajectory is None
    assert "recorded trajectory" in found.warnings[0]
    assert "differ by" in found.warnings[0]
    assert "The reproduced trajectory" in found.warnings[1]
    assert "explained without its denoising trajectory" in found.warnings[1]


def test_a_damaged_recording_is_reproduced(made: Any, tiny_checkpoints: Path) -> None:
    image = made(record=True)
    trajectory_file(image).write_bytes(b"PK")
    found, _ = traced(image, tiny_checkpoints)
    assert found.trajectory is not None
    assert found.trajectory.origin == REPRODUCED
    assert "damaged" in found.warnings[0]


def test_the_recording_of_another_image_is_not_used(made: Any, tiny_checkpoints: Path) -> None:
    image = made(record=True)
    other = image.with_name("ISIC_0000007.png")
    write_image(other, read_pixels(image), replace(read_parameters(image), seed=1, isic_number=7))
    shutil.copy(trajectory_file(image), trajectory_file(other))
    found, _ = traced(other, tiny_checkpoints)
    assert found.trajectory is None
    assert "is of an image with seed" in found.warnings[0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "unet_MEL_best.pth").unlink(), "is not in"),
        (lambda folder: write_checkpoint(folder / "unet_MEL_best.pth", tiny_unet(7)), "another checkpoint"),
    ],
)
def test_a_missing_or_changed_checkpoint_is_reported(
    made: Any, tiny_checkpoints: Path, spoil: Any, message: str
) -> None:
    image = made(record=False)
    spoil(tiny_checkpoints)
    found, _ = traced(image, tiny_checkpoints)
    assert found.trajectory is None
    assert len(found.warnings) == 1
    assert message in found.warnings[0]


def test_a_real_image_has_no_trajectory(tiny_checkpoints: Path) -> None:
    found, _ = traced(REAL_IMAGE, tiny_checkpoints)
    assert found.trajectory is None
    assert "does not say how it was made" in found.warnings[0]
