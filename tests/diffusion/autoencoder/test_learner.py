from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import ArgumentError, CheckpointError
from core.generation.control import Control
from core.models.autoencoders import AutoencoderWeights, build_autoencoder
from diffusion.__main__ import main
from diffusion.autoencoder.crops import CropBatches
from diffusion.autoencoder.evaluation import evaluate
from diffusion.autoencoder.files import load_autoencoder, write_autoencoder
from diffusion.autoencoder.learner import AutoencoderLearner
from diffusion.autoencoder.losses import ImageNetFeatures, perceptual_distance, pixel_error
from diffusion.autoencoder.settings import AutoencoderSettings
from tests.conftest import TINY_AUTOENCODER
from tests.diffusion.latent_world import write_world

CPU = torch.device("cpu")
SETTINGS = AutoencoderSettings(size=64, crop=64, batch_size=2, steps=4, sharpening_steps=3, latent_channels=4)


def batches() -> CropBatches:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 64, 64, 3), np.uint8)
    masks = np.where(rng.random((6, 64, 64)) < 0.5, 255, 0).astype(np.uint8)
    return CropBatches(pixels, masks, ["MEL"] * 4 + ["NV"] * 2, SETTINGS.crop, SETTINGS.batch_size, 0)


def trained(until: int, state: dict[str, Any] | None = None) -> dict[str, Any]:
    learner = AutoencoderLearner(SETTINGS, CPU)
    if state:
        learner.load(state, "the state")
    learner.run(batches(), Control(), lambda _: None, until)
    return learner.state()


def test_a_resumed_run_ends_with_the_same_bits() -> None:
    """Interrupted in each of the two parts."""
    whole = trained(7)
    resumed = trained(7, trained(5, trained(2)))
    for part in ("model", "discriminator"):
        for name, tensor in whole[part].items():
            assert torch.equal(tensor, resumed[part][name]), name
    for name, tensor in whole["average"]["shadow"].items():
        assert torch.equal(tensor, resumed["average"]["shadow"][name]), name


def test_sharpening_leaves_the_encoder_as_it_was() -> None:
    before, after = trained(4)["model"], trained(7)["model"]
    changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"decoder"}


def test_the_state_of_another_autoencoder_is_refused() -> None:
    with pytest.raises(CheckpointError, match="not a state of this autoencoder"):
        trained(7, {**trained(1), "model": {}})


def test_an_unknown_mask_does_not_count() -> None:
    decoded = torch.zeros(1, 4, 8, 8)
    unknown = torch.zeros(1, 4, 8, 8)
    assert pixel_error(decoded, unknown) == 0
    inside = unknown.clone()
    inside[:, 3] = 1
    assert pixel_error(decoded, inside) == pytest.approx(0.1)


def test_equal_images_have_no_perceptual_distance_and_blurred_ones_have() -> None:
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(images, 5, stride=1, padding=2)
    features = ImageNetFeatures()
    assert perceptual_distance(features(images), features(images)) == 0
    assert perceptual_distance(features(blurred), features(images)) > 0.1


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"size": 100}, "size 100"),
        ({"latent_size": 24}, "Latents of 24"),
        ({"crop": 20}, "crop 20"),
        ({"latent_channels": 5}, "latent channels 5"),
        ({"batch_size": 0}, "batch-size 0"),
        ({"steps": -1}, "steps -1"),
    ],
)
def test_settings_out_of_range_are_named(changes: dict[str, int], named: str) -> None:
    with pytest.raises(ArgumentError, match=named):
        AutoencoderSettings(**changes)


@pytest.mark.parametrize("size", [128, 256, 512])
def test_every_size_has_latents_of_sixteen_positions(size: int) -> None:
    settings = AutoencoderSettings(size=size)
    with torch.device("meta"):
        model = build_autoencoder("AutoencoderDC", settings.model_config())
        latents = model.encode(torch.empty(1, 4, size, size), return_dict=False)[0]
        assert latents.shape == (1, 16, 16, 16)
        assert model.decode(latents, return_dict=False)[0].shape == (1, 4, size, size)


def test_a_perfect_autoencoder_has_perfect_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluation of reconstructions that are the images themselves."""
    monkeypatch.setattr("diffusion.autoencoder.evaluation.Reconstructor.__call__", lambda _self, images: images)
    world = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    masks = np.zeros((8, 32, 32), np.uint8)
    masks[:, 8:24, 8:24] = 255
    model = build_autoencoder("AutoencoderDC", TINY_AUTOENCODER)
    weights = AutoencoderWeights("AutoencoderDC", TINY_AUTOENCODER, model.state_dict(), (0.0,) * 4, (1.0,) * 4, True)
    lesions = [f"L{number}" for number in range(8)]
    figures = evaluate(weights, world, masks, ["MEL"] * 8, lesions, CPU)
    assert (figures.images, figures.perceptual, figures.dice) == (8, 0.0, 1.0)
    assert figures.ssim == pytest.approx(1.0)
    assert figures.sharpness == pytest.approx(1.0)
    assert figures.kid == pytest.approx(figures.kid_real)


def test_an_autoencoder_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    model = build_autoencoder("AutoencoderDC", TINY_AUTOENCODER)
    weights = AutoencoderWeights("AutoencoderDC", TINY_AUTOENCODER, model.state_dict(), (0.5,) * 4, (2.0,) * 4, True)
    write_autoencoder(tmp_path / "a.pth", weights, {"data": "squares"})
    found, provenance = load_autoencoder(tmp_path / "a.pth")
    assert (found.config, found.mean, found.std, provenance) == (
        TINY_AUTOENCODER,
        weights.mean,
        weights.std,
        {"data": "squares"},
    )
    torch.save({"format": "other"}, tmp_path / "b.pth")
    with pytest.raises(CheckpointError, match="holds no autoencoder"):
        load_autoencoder(tmp_path / "b.pth")


def test_a_second_run_in_the_same_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(write_world(tmp_path / "data", 4))
    options = ["--data", data, "--output", str(tmp_path / "run"), "--size", "64", "--crop", "64", "--batch-size", "1"]
    short = [*options, "--steps", "2", "--sharpening-steps", "1", "--device", "cpu", "--precision", "fp32"]
    assert main(["autoencoder", "train", *short, "--until", "1"]) == 130
    assert "continue with --resume" in capsys.readouterr().out
    assert main(["autoencoder", "train", *short]) == 2
    assert "--resume" in capsys.readouterr().err
    assert main(["autoencoder", "train", *short, "--resume"]) == 0
    assert (tmp_path / "run" / "autoencoder.pth").is_file()
