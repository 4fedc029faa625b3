from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from core.errors import ArgumentError, CheckpointError
from core.generation import runner
from core.generation.events import DenoisingStep, ImageSaved
from core.generation.job import SAMPLERS, GenerationJob
from core.generation.reproduction import reproduce
from core.models.checkpoints import ModelCache, read_checkpoint
from core.models.conditions import Condition
from core.models.guided_checkpoints import CONDITIONED_FILE
from core.output.image_file import read_parameters, read_pixels
from tests.conftest import latent_conditioned_content, latent_content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    torch.save(latent_content(), folder / "unet_MEL_best.pth")
    torch.save(latent_conditioned_content(), folder / CONDITIONED_FILE)
    return folder


def job(folder: Path, output: str = "set", **changes: Any) -> GenerationJob:
    values: dict[str, Any] = {"counts": {"MEL": 3}, "steps": 3, "device": "cpu", "precision": "fp32", **changes}
    return GenerationJob(checkpoints=folder, output=folder.parent / output, **values)


def run(wanted: GenerationJob) -> list[Path]:
    return [event.path for event in runner.run(wanted) if isinstance(event, ImageSaved)]


def test_a_latent_checkpoint_says_the_size_of_its_images(folder: Path) -> None:
    checkpoint = read_checkpoint(folder / "unet_MEL_best.pth")
    assert checkpoint.config["sample_size"] == 8
    assert checkpoint.image_size == 16
    assert checkpoint.has_masks


def test_images_come_with_masks_beside_the_set(folder: Path) -> None:
    files = run(job(folder))
    frame = pd.read_csv(folder.parent / "set" / "synthetic_dataset.csv")
    assert frame["lesion_mask"].tolist() == [True] * 3
    assert read_pixels(files[0]).shape == (16, 16, 3)
    assert read_parameters(files[0]).lesion_mask
    assert {path.parent.name for path in (folder.parent / "set").rglob("*.png")} == {"MEL"}  # as ImageFolder sees it
    masks = sorted((folder.parent / "set_masks" / "MEL").iterdir())
    assert [mask.name for mask in masks] == [f"ISIC_000000{number}_segmentation.png" for number in (1, 2, 3)]
    with Image.open(masks[0]) as mask:
        assert (mask.mode, mask.size) == ("L", (16, 16))
        assert set(np.unique(np.asarray(mask))) <= {0, 255}


def test_the_mask_is_the_fourth_channel_of_the_decoded_image(folder: Path) -> None:
    (file,) = run(job(folder, counts={"MEL": 1}, masks=folder.parent / "elsewhere"))
    loaded = ModelCache().get(folder / "unet_MEL_best.pth", torch.device("cpu"), "fp32")
    *_, last = [
        event for event in runner.run(job(folder, "again", counts={"MEL": 1})) if isinstance(event, DenoisingStep)
    ]
    assert loaded.decoder is not None
    latents = last.source.state  # type: ignore[attr-defined]
    decoded = loaded.decoder.model.decode(latents, return_dict=False)[0]
    with Image.open(folder.parent / "elsewhere" / "MEL" / "ISIC_0000001_segmentation.png") as mask:
        assert np.array_equal(np.asarray(mask) > 0, (decoded[0, 3] > 0).numpy())
    expected = decoded[0, :3].clamp(-1, 1).add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(read_pixels(file), expected)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_latent_image_does_not_depend_on_its_batch(folder: Path, sampler: str) -> None:
    one = run(job(folder, "one", counts={"MEL": 8}, sampler=sampler, batch_size=1))
    eight = run(job(folder, "eight", counts={"MEL": 8}, sampler=sampler, batch_size=8))
    for first, second in zip(one, eight, strict=True):
        assert np.array_equal(read_pixels(first), read_pixels(second))


def test_latent_images_are_reproduced(folder: Path) -> None:
    for file in run(job(folder, precision="bf16")):
        assert reproduce(file, folder, ModelCache()).maximum_difference == 0


def test_one_network_generates_classes_with_metadata(folder: Path) -> None:
    known = Condition(sex="female", tone="dark")
    files = run(job(folder, counts={"MEL": 1, "DF": 1}, condition=known, guidance=2.0))
    assert [file.parent.name for file in files] == ["MEL", "DF"]
    said = read_parameters(files[1])
    assert said.condition == Condition(sex="female", tone="dark", class_name="DF")
    frame = pd.read_csv(files[0].parent.parent / "synthetic_dataset.csv")
    assert frame["tone"].tolist() == ["dark", "dark"]
    assert reproduce(files[1], folder, ModelCache()).maximum_difference == 0
    (other,) = run(job(folder, "other", counts={"DF": 1}, condition=Condition(sex="male"), guidance=2.0))
    assert not np.array_equal(read_pixels(files[1]), read_pixels(other))


def test_a_class_that_contradicts_the_condition_is_refused(folder: Path) -> None:
    with pytest.raises(ArgumentError, match="Melanocytic 'no' contradicts the class MEL"):
        job(folder, condition=Condition(melanocytic=False))


def test_the_estimate_is_decoded_only_when_it_is_read(folder: Path) -> None:
    steps = [event for event in runner.run(job(folder, counts={"MEL": 1})) if isinstance(event, DenoisingStep)]
    assert "estimate" not in vars(steps[0].source)
    assert steps[0].estimate.shape == (1, 3, 16, 16)
    assert steps[0].estimate.abs().max() <= 1


def test_a_recorded_trajectory_ends_in_the_image(folder: Path) -> None:
    from core.generation.trajectory import read_trajectory, trajectory_file

    (file,) = run(job(folder, counts={"MEL": 1}, record_trajectory=True))
    trajectory = read_trajectory(trajectory_file(file), read_parameters(file).seed)
    assert trajectory.estimates.shape == (3, 16, 16, 3)
    assert np.array_equal(trajectory.estimates[-1], read_pixels(file))


def test_masks_of_a_model_without_any_are_refused_before_anything_is_written(tiny_checkpoints: Path) -> None:
    with pytest.raises(ArgumentError, match="makes no lesion masks"):
        run(job(tiny_checkpoints, masks=tiny_checkpoints.parent / "m"))
    assert not (tiny_checkpoints.parent / "set").exists()


def _part(**changes: Any) -> dict[str, Any]:
    return {"autoencoder": {**latent_content()["autoencoder"], **changes}}


def _config(**changes: Any) -> dict[str, Any]:
    return _part(config={**latent_content()["autoencoder"]["config"], **changes})


def _with_nan(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    name = next(iter(weights))
    return {**weights, name: torch.full_like(weights[name], torch.nan)}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"autoencoder": None}, "without its autoencoder"),
        (_part(**{"class": "os.system"}), "names the autoencoder 'os.system'"),
        (_part(mean=[0.0] * 3), "mean of its 4 latent channels"),
        (_part(std=[1.0, 1.0, 1.0, float("nan")]), "std of its 4 latent channels"),
        (_part(std=[1.0, 1.0, 1.0, 0.0]), "not positive"),
        (_part(state_dict={}), "missing or has another shape"),
        (_part(mask_channel=False), "4 image channels, not 3"),
        (_part(config={**latent_content()["autoencoder"]["config"], "latent_channels": 8}), "8"),
        (_part(state_dict=_with_nan(latent_content()["autoencoder"]["state_dict"])), "not finite"),
        ({"config": {**latent_content()["config"], "in_channels": 8, "out_channels": 8}}, "do not belong together"),
        ({"state_dict": _with_nan(latent_content()["state_dict"])}, "not finite"),
        ({"scheduler": None}, 'no "scheduler"'),
        (_part(mean=[0.0, 0.0, 0.0, 10**400]), "mean of its 4 latent channels"),
        (_part(**{"class": ["AutoencoderDC"]}), "names the autoencoder"),
        (_config(decoder_layers_per_block=(10**6, 1)), "decoder_layers_per_block 1000000"),
        (_config(decoder_block_out_channels=(8,) * 10**5), "100000 decoder_block_out_channels"),
        (_config(decoder_block_out_channels=(10**12, 8)), "decoder_block_out_channels 1000000000000"),
        (_config(encoder_qkv_multiscales=((10**9,), ())), "encoder_qkv_multiscales"),
        ({"scheduler": {"num_train_timesteps": 10**12}}, "num_train_timesteps 1000000000000"),
        ({"config": {**latent_content()["config"], "layers_per_block": 10**6}}, "layers_per_block 1000000"),
    ],
)
def test_a_damaged_latent_checkpoint_is_refused_in_one_sentence(
    folder: Path, changes: dict[str, Any], named: str
) -> None:
    torch.save(latent_content(**changes), folder / "unet_MEL_best.pth")
    with pytest.raises(CheckpointError, match=named) as refused:
        run(job(folder))
    assert "\n" not in str(refused.value)
    assert not (folder.parent / "set").exists()
