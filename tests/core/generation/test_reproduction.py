from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import CheckpointError, DeviceError, IsicGuiError, JobFailedError
from core.generation import reproduction
from core.generation.job import SAMPLERS, GenerationJob
from core.generation.reproduction import EXACT, REDUCED, reproduce
from core.generation.runner import run
from core.models import checkpoints
from core.models.checkpoints import ModelCache
from core.output.image_file import ImageFileError, read_parameters, read_pixels, write_image
from tests.conftest import REAL_IMAGES, TINY_UNET, tiny_unet, write_checkpoint
from tests.core.examples import write_png_with_text


@pytest.fixture
def made(tiny_checkpoints: Path, tmp_path: Path) -> Any:
    def make(**settings: Any) -> Path:
        defaults = {"steps": 4, "device": "cpu", "precision": "fp32", "checkpoints": tiny_checkpoints, "batch_size": 3}
        list(run(GenerationJob({"MEL": 3}, output=tmp_path / "o", **{**defaults, **settings})))
        return tmp_path / "o" / "MEL" / "ISIC_0000002.png"

    return make


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_image_of_a_batch_comes_out_the_same_alone(made: Any, tiny_checkpoints: Path, sampler: str) -> None:
    result = reproduce(made(sampler=sampler), tiny_checkpoints, ModelCache())
    assert result.equal
    assert result.tolerance == EXACT == 1


def test_bf16_is_compared_with_its_own_tolerance(made: Any, tiny_checkpoints: Path) -> None:
    result = reproduce(made(precision="bf16"), tiny_checkpoints, ModelCache())
    assert (result.equal, result.precision, result.tolerance) == (True, "bf16", REDUCED)


def test_the_recorded_colours_count_not_those_of_today(made: Any, tiny_checkpoints: Path) -> None:
    statistics = tiny_checkpoints / "color_statistics.json"
    statistics.write_text('{"MEL": {"rgb": {"mean": [200, 100, 50], "std": [20, 20, 20]}}}')
    image = made()
    statistics.write_text('{"MEL": {"rgb": {"mean": [0, 0, 250], "std": [90, 90, 90]}}}')
    assert reproduce(image, tiny_checkpoints, ModelCache()).equal


def test_a_changed_pixel_is_found(made: Any, tiny_checkpoints: Path, tmp_path: Path) -> None:
    image = made()
    pixels = read_pixels(image).copy()
    pixels[3, 4, 1] = (int(pixels[3, 4, 1]) + 128) % 256
    changed = tmp_path / "changed.png"
    write_image(changed, pixels, read_parameters(image))
    result = reproduce(changed, tiny_checkpoints, ModelCache())
    assert not result.equal
    assert result.maximum_difference >= 127
    assert np.isclose(result.mean_difference, 128 / pixels.size, atol=0.02)


def test_another_checkpoint_is_named_by_its_hash(made: Any, tiny_checkpoints: Path) -> None:
    image = made()
    write_checkpoint(tiny_checkpoints / "unet_MEL_best.pth", tiny_unet(7))
    with pytest.raises(CheckpointError, match="another checkpoint"):
        reproduce(image, tiny_checkpoints, ModelCache())


def test_a_checkpoint_that_is_gone_is_named(made: Any, tiny_checkpoints: Path) -> None:
    image = made()
    (tiny_checkpoints / "unet_MEL_best.pth").unlink()
    with pytest.raises(CheckpointError, match=r"unet_MEL_best\.pth is not in"):
        reproduce(image, tiny_checkpoints, ModelCache())


def test_a_real_image_has_nothing_to_reproduce(tiny_checkpoints: Path) -> None:
    with pytest.raises(ImageFileError):
        reproduce(next((REAL_IMAGES / "images").iterdir()), tiny_checkpoints, ModelCache())


def test_an_image_of_a_gpu_needs_one(made: Any, tiny_checkpoints: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    image = made()
    write_image(tmp_path / "gpu.png", read_pixels(image), replace(read_parameters(image), device="cuda:0"))
    with pytest.raises(DeviceError):
        reproduce(tmp_path / "gpu.png", tiny_checkpoints, ModelCache(), device="cpu")


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory"), MemoryError()]
)
@pytest.mark.parametrize(
    ("module", "name", "said"),
    [(checkpoints, "speed_up", r"the model unet_MEL_best\.pth"), (reproduction, "denoise", "one image")],
)
def test_memory_that_runs_out_is_told_in_a_sentence(
    made: Any,
    tiny_checkpoints: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    said: str,
    error: Exception,
) -> None:
    image = made()

    def full(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(module, name, full)
    with pytest.raises(JobFailedError, match=f"not enough memory on cpu for {said}"):
        reproduce(image, tiny_checkpoints, ModelCache())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reuse": 2}, "choose a reuse of 1"),
        ({"sampler": "unipc", "steps": 1000}, "1000 steps are more than"),
        ({"device": "cuda:99"}, "cuda"),
        ({"precision": "fp16"}, "needs a GPU"),
        ({"class": "MELANOCYTIC"}, "does not say how it was made"),
        ({"condition": {}}, "unet_MEL_best.pth is not in"),
        ({"class": "MELANOCYTIC", "condition": {}}, "unet_MEL_best.pth is not in"),
    ],
)
def test_values_that_do_not_suit_the_checkpoint_are_one_sentence(
    made: Any, tiny_checkpoints: Path, changes: dict[str, Any], message: str
) -> None:
    config = {**TINY_UNET, "up_block_types": ("AttnUpBlock2D", "SkipUpBlock2D")}
    write_checkpoint(tiny_checkpoints / "unet_MEL_best.pth", tiny_unet(**config), config=config)
    image = made(steps=2)
    values = {**read_parameters(image).to_json(), **changes}
    write_png_with_text(image, json.dumps(values))
    with pytest.raises(IsicGuiError, match=message):
        reproduce(image, tiny_checkpoints, ModelCache())
