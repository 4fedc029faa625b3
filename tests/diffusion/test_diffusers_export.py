"""Models as pipelines that diffusers loads without this program."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.models.checkpoints import read_checkpoint
from diffusion.__main__ import main
from tests.conftest import SCHEDULER, tiny_unet


def test_a_pipeline_generates_what_the_checkpoint_predicts(
    tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from diffusers import DDPMPipeline

    assert main(["export", str(tiny_checkpoints), "--diffusers", str(tmp_path / "theirs")]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "theirs" / name) for name in ("MEL", "NV", "DF")]
    pipeline = DDPMPipeline.from_pretrained(tmp_path / "theirs" / "NV")
    assert {name: pipeline.scheduler.config[name] for name in SCHEDULER} == SCHEDULER
    expected = tiny_unet(1).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in pipeline.unet.state_dict().items())
    pipeline.set_progress_bar_config(disable=True)
    images = pipeline(num_inference_steps=2, output_type="np", generator=torch.Generator().manual_seed(0)).images
    assert images.shape == (1, 16, 16, 3)
    weights = tmp_path / "theirs" / "MEL" / "unet" / "diffusion_pytorch_model.safetensors"
    found = read_checkpoint(weights).state_dict  # and back
    assert all(torch.equal(tensor, tiny_unet(0).state_dict()[name]) for name, tensor in found.items())


def test_one_checkpoint_of_a_named_class_and_damaged_ones(
    tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tiny_checkpoints / "unet_MEL_best.pth")
    assert main(["export", file, "--diffusers", str(tmp_path / "one"), "--classes", "BCC"]) == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["BCC"]
    (tiny_checkpoints / "unet_NV_best.pth").write_bytes(b"torn")
    assert main(["export", str(tiny_checkpoints), "--diffusers", str(tmp_path / "rest")]) == 0
    assert "left out:" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "rest").iterdir()) == ["DF", "MEL"]


def test_what_cannot_be_exported_is_refused(
    tiny_checkpoints: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there" / "MEL").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        ([str(tiny_checkpoints)], "Name one folder to write to"),
        ([str(tiny_checkpoints), "--diffusers", "a", "--output", "b"], "Name one folder to write to"),
        ([str(tiny_checkpoints), "--diffusers", str(tmp_path / "there")], "MEL exists; name another folder"),
        ([str(tmp_path / "empty"), "--diffusers", str(tmp_path / "o")], "holds no model of any class"),
    ):
        assert main(["export", *arguments]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
