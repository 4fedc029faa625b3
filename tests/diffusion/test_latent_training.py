from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.generation import runner
from core.generation.events import ImageSaved
from core.generation.job import GenerationJob
from core.models.architectures import LATENT_UNET
from core.models.checkpoints import read_checkpoint
from core.models.conditions import Condition
from core.output.image_file import read_pixels
from core.paths import CONDITIONED_FILE
from diffusion.__main__ import main
from tests.diffusion.latent_world import COLOURS, write_world

AUTOENCODER = ["--size", "64", "--crop", "64", "--batch-size", "4", "--steps", "160", "--sharpening-steps", "5"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stages, from the command line, on discs whose colour is their class."""
    folder = tmp_path_factory.mktemp("latent")
    data, cache = str(write_world(folder / "data")), str(folder / "cache")
    common = ["--data", data, "--cache", cache, "--device", "cpu", "--precision", "fp32"]
    autoencoder = folder / "autoencoder"
    assert main(["autoencoder", "train", *common, "--output", str(autoencoder), *AUTOENCODER]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LATENT_UNET, "block_out_channels", (32, 64))
        steps = ["--steps", "240", "--batch-size", "16", "--learning-rate", "2e-3", "--warm-up", "20"]
        shown = ["--ema-decay", "0.98", "--grid-every", "0", "--validate-every", "200", "--size", "64"]
        latent = ["--latent", str(autoencoder / "autoencoder.pth"), "--output", str(folder / "run")]
        assert main(["train", *common, *latent, *steps, *shown]) == 0
    return folder


def generate(folder: Path, output: str, **changes: Any) -> list[Path]:
    values: dict[str, Any] = {"counts": dict.fromkeys(COLOURS, 3), "steps": 20, "precision": "fp32", **changes}
    job = GenerationJob(
        checkpoints=folder / "run" / "checkpoints",
        output=folder / output,
        device="cpu",
        color_adjustment=False,
        **values,
    )
    return [event.path for event in runner.run(job) if isinstance(event, ImageSaved)]


def test_a_latent_model_learns_the_colour_of_each_class_and_its_mask(trained: Path) -> None:
    for file in generate(trained, "set"):
        pixels = read_pixels(file).astype(int)
        name = f"{file.stem}_segmentation.png"
        with Image.open(trained / "set_masks" / file.parent.name / name) as image:
            mask = np.asarray(image) > 0
        assert 0.03 < mask.mean() < 0.5
        inside = pixels[mask].mean(axis=0)
        nearest = min(COLOURS, key=lambda name: float(np.abs(inside - COLOURS[name]).sum()))
        assert nearest == file.parent.name
        assert np.abs(pixels[~mask].mean(axis=0) - (230, 200, 180)).max() < 30


def test_the_same_weights_generate_classes_under_metadata(trained: Path) -> None:
    (file,) = generate(trained, "known", counts={"NV": 1}, condition=Condition(sex="female"), guidance=1.0)
    assert read_pixels(file).shape == (64, 64, 3)


def test_the_checkpoints_say_what_they_are(trained: Path) -> None:
    folder = trained / "run" / "checkpoints"
    checkpoint = read_checkpoint(folder / "unet_MEL_best.pth")
    assert (checkpoint.image_size, checkpoint.has_masks) == (64, True)
    assert checkpoint.provenance["class"] == "MEL"
    content = torch.load(folder / CONDITIONED_FILE, weights_only=True)
    assert list(content["conditions"]) == ["melanocytic", "sex", "age", "site", "class_name", "tone"]


def test_inspect_and_evaluate_read_a_latent_checkpoint(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = trained / "run" / "checkpoints" / "unet_NV_best.pth"
    assert main(["inspect", str(file)]) == 0
    assert "isicgui.latent_unet/1" in capsys.readouterr().out
    data = ["--data", str(trained / "data"), "--cache", str(trained / "cache"), "--size", "64", "--device", "cpu"]
    assert main(["autoencoder", "evaluate", str(file), *data]) == 0
    assert "PSNR" in capsys.readouterr().out
