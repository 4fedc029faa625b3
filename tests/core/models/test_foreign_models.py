"""Models under the names and in the forms of SYNT_ISIC, melanoma-fair-xai and diffusers, made here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from cli.application import main
from core.classes import CLASSES
from core.models.architectures import DEFAULT_SCHEDULER, DEFAULT_UNET
from core.models.checkpoints import class_status, read_checkpoint, readable_classes
from core.models.model_lookup import checkpoint_file
from diffusion.weights import write_checkpoints
from tests.conftest import tiny_unet, write_checkpoint


def write_pipeline(folder: Path, seed: int = 0) -> Any:
    """A whole DDPMPipeline of a tiny UNet as ``save_pretrained`` writes it; returns the UNet."""
    from diffusers import DDPMPipeline, DDPMScheduler

    unet = tiny_unet(seed)
    scheduler = DDPMScheduler(1000, beta_schedule="linear", prediction_type="v_prediction")
    DDPMPipeline(unet, scheduler).save_pretrained(folder)
    return unet


def problem_of(folder: Path, class_name: str = "MEL") -> str:
    status = class_status(folder, class_name)
    assert status.problem is not None
    assert "\n" not in status.problem
    return status.problem


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


def test_the_last_epoch_is_used_if_there_is_no_best(tmp_path: Path) -> None:
    for epoch in (9, 10, 100):
        write_checkpoint(tmp_path / f"unet_MEL_epoch_{epoch:02d}.pth", tiny_unet(epoch))
    assert checkpoint_file(tmp_path, "MEL").name == "unet_MEL_epoch_100.pth"
    assert class_status(tmp_path, "MEL").problem is None
    write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet(0))
    assert checkpoint_file(tmp_path, "MEL").name == "unet_MEL_best.pth"


def test_an_image_of_an_epoch_file_is_generated_and_reproduced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_checkpoint(tmp_path / "unet_MEL_epoch_20.pth", tiny_unet())
    places = ["--checkpoints", str(tmp_path), "--output", str(tmp_path / "o")]
    quick = ["--steps", "2", "--device", "cpu", "--precision", "fp32"]
    assert main(["generate", *places, "--classes", "MEL=1", *quick]) == 0
    image = str(tmp_path / "o" / "MEL" / "ISIC_0000001.png")
    assert main(["reproduce", image, "--checkpoints", str(tmp_path), "--device", "cpu"]) == 0
    capsys.readouterr()
    assert main(["models", "--checkpoints", str(tmp_path)]) == 0
    assert "MEL   ✓ unet_MEL_epoch_20.pth" in capsys.readouterr().out


def test_a_damaged_epoch_file_is_named_and_other_classes_are_offered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "unet_MEL_epoch_20.pth").write_bytes(b"PK\x03\x04 torn")
    write_checkpoint(tmp_path / "unet_NV_epoch_20.pth", tiny_unet())
    assert "unet_MEL_epoch_20.pth is damaged" in problem_of(tmp_path)
    assert readable_classes(tmp_path) == ["NV"]
    arguments = ["--checkpoints", str(tmp_path), "--output", str(tmp_path / "o"), "--classes", "DF=1"]
    assert main(["generate", *arguments, "--device", "cpu"]) == 2
    assert "the classes that can be are NV." in capsys.readouterr().err


def test_a_training_writes_its_own_file_beside_an_epoch_file(tmp_path: Path) -> None:
    from diffusion.weights import read_weights

    file = write_checkpoint(tmp_path / "unet_MEL_epoch_20.pth", tiny_unet())
    before = file.read_bytes()
    written = write_checkpoints(read_weights(file), tmp_path, ["MEL"])
    assert written == [tmp_path / "unet_MEL_best.pth"]
    assert file.read_bytes() == before


def test_names_are_compared_without_regard_to_case_if_one_file_matches(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "UNet_mel_BEST.pth", tiny_unet())
    assert class_status(tmp_path, "MEL").problem is None
    write_checkpoint(tmp_path / "Unet_Mel_Best.pth", tiny_unet())
    assert problem_of(tmp_path) == "no file"


@pytest.mark.parametrize("class_folder", ["MEL", "mel", "unet_MEL"])
def test_a_pipeline_of_diffusers_is_a_model(tmp_path: Path, class_folder: str) -> None:
    unet = write_pipeline(tmp_path / class_folder)
    found = class_status(tmp_path, "MEL").checkpoint
    assert found is not None
    assert found.form == "diffusers folder"
    assert same(found.state_dict, unet.state_dict())
    assert found.scheduler["beta_schedule"] == "linear"
    assert found.scheduler["prediction_type"] == "v_prediction"
    assert found.image_size == 16


def test_a_unet_of_diffusers_alone_is_a_model_with_the_usual_schedule(tmp_path: Path) -> None:
    tiny_unet(0).save_pretrained(tmp_path / "MEL" / "unet")
    tiny_unet(1).save_pretrained(tmp_path / "NV")
    tiny_unet(2).save_pretrained(tmp_path / "DF", safe_serialization=False)
    for seed, class_name in enumerate(("MEL", "NV", "DF")):
        found = class_status(tmp_path, class_name).checkpoint
        assert found is not None
        assert same(found.state_dict, tiny_unet(seed).state_dict())
        assert found.scheduler == DEFAULT_SCHEDULER


def test_the_average_of_a_diffusers_training_is_preferred(tmp_path: Path) -> None:
    from diffusers import UNet2DModel
    from diffusers.training_utils import EMAModel

    write_pipeline(tmp_path / "MEL", 0)
    average = EMAModel(tiny_unet(1).parameters(), model_cls=UNet2DModel, model_config=tiny_unet(1).config)
    average.save_pretrained(tmp_path / "MEL" / "unet_ema")
    found = class_status(tmp_path, "MEL").checkpoint
    assert found is not None
    assert same(found.state_dict, tiny_unet(1).state_dict())


def test_the_state_of_an_ema_by_itself_is_a_model(tmp_path: Path) -> None:
    from diffusers import UNet2DModel
    from diffusers.training_utils import EMAModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DModel(**DEFAULT_UNET)
    torch.save(EMAModel(unet.parameters()).state_dict(), tmp_path / "unet_MEL_best.pth")
    found = class_status(tmp_path, "MEL").checkpoint
    assert found is not None
    assert found.form == "averaged weights (shadow_params)"
    assert same(found.state_dict, dict(unet.named_parameters()))
    save_file(
        {name: tensor.half() for name, tensor in unet.state_dict().items()}, tmp_path / "unet_NV_best.safetensors"
    )
    assert class_status(tmp_path, "NV").problem is None


def test_images_of_a_pipeline_are_generated_and_reproduced(tmp_path: Path) -> None:
    write_pipeline(tmp_path / "models" / "MEL")
    places = ["--checkpoints", str(tmp_path / "models"), "--output", str(tmp_path / "o")]
    quick = ["--steps", "2", "--device", "cpu", "--precision", "fp32"]
    assert main(["generate", *places, "--classes", "MEL=1", *quick]) == 0
    image = str(tmp_path / "o" / "MEL" / "ISIC_0000001.png")
    assert main(["reproduce", image, "--checkpoints", str(tmp_path / "models"), "--device", "cpu"]) == 0
    assert sorted(path.name for path in (tmp_path / "models").iterdir() if path.name in CLASSES) == ["MEL"]


@pytest.mark.parametrize("kind", ["VQModel", "AutoencoderKL"])
def test_a_latent_pipeline_decodes_as_diffusers_does(kind: str, tmp_path: Path) -> None:
    import diffusers

    with torch.random.fork_rng():
        torch.manual_seed(0)
        blocks = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
        autoencoder = getattr(diffusers, kind)(
            block_out_channels=(8, 8), norm_num_groups=4, latent_channels=3, scaling_factor=0.5, **blocks
        )
    scheduler = diffusers.DDIMScheduler(1000, beta_schedule="squaredcos_cap_v2", clip_sample=False)
    diffusers.LDMPipeline(autoencoder.eval(), tiny_unet(), scheduler).save_pretrained(tmp_path / "MEL")
    found = class_status(tmp_path, "MEL").checkpoint
    assert found is not None
    assert found.autoencoder is not None
    assert (found.image_size, found.scheduler["clip_sample"]) == (32, False)
    latents = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = autoencoder.decode(latents / 0.5).sample.clamp(-1, 1)
    assert torch.allclose(found.autoencoder.build().decode(latents)[0], expected, atol=1e-5)
    places = ["--checkpoints", str(tmp_path), "--output", str(tmp_path / "o"), "--classes", "MEL=1"]
    assert main(["generate", *places, "--steps", "2", "--device", "cpu", "--precision", "fp32"]) == 0


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def edit(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
DAMAGE: dict[str, tuple[Any, str]] = {
    "weights cut": (lambda folder: cut(folder / WEIGHTS), r"damaged or not a file of safetensors"),
    "weights gone": (lambda folder: (folder / WEIGHTS).unlink(), r"unet has config\.json but no diffusion_pytorch"),
    "config cut": (lambda folder: cut(folder / "unet/config.json"), r"config\.json is damaged"),
    "config gone": (lambda folder: (folder / "unet/config.json").unlink(), r"model_index\.json but no unet/config"),
    "another model": (
        lambda folder: edit(folder / "unet/config.json", _class_name="UNet2DConditionModel"),
        "describes a UNet2DConditionModel; only a UNet2DModel can be used",
    ),
    "a pipeline of prompts": (
        lambda folder: edit(folder / "model_index.json", _class_name="MyPipeline", text_encoder=["a", "B"]),
        "is a MyPipeline with a part 'text_encoder'",
    ),
    "an autoencoder that is gone": (
        lambda folder: edit(folder / "model_index.json", vqvae=["diffusers", "VQModel"]),
        r"vqvae.config\.json is damaged",
    ),
    "another width": (lambda folder: edit(folder / "unet/config.json", block_out_channels=[8, 8]), "not a UNet of the"),
    "unknown argument": (lambda folder: edit(folder / "unet/config.json", wings=2), "cannot be built"),
    "schedule cut": (
        lambda folder: cut(folder / "scheduler/scheduler_config.json"),
        "_config.json is damaged",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_pipeline_is_named_and_other_classes_are_usable(kind: str, tmp_path: Path) -> None:
    damage, message = DAMAGE[kind]
    write_pipeline(tmp_path / "MEL")
    write_pipeline(tmp_path / "NV")
    damage(tmp_path / "MEL")
    assert re.search(message, problem_of(tmp_path))
    assert readable_classes(tmp_path) == ["NV"]


def test_a_damaged_file_of_safetensors_is_named(tmp_path: Path) -> None:
    (tmp_path / "unet_MEL_best.safetensors").write_bytes(b"\x00" * 64)
    assert "unet_MEL_best.safetensors is damaged" in problem_of(tmp_path)
    save_file({"conv_in.weight": torch.zeros(2)}, tmp_path / "unet_NV_best.safetensors")
    assert "not a UNet of the expected architecture" in problem_of(tmp_path, "NV")


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_metadata_unet_of_melanoma_fair_xai_is_refused_by_name(
    wrapped: bool, tmp_path: Path, tiny_checkpoints: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = {"meta_fc.weight": torch.zeros(64, 12), "meta_fc.bias": torch.zeros(64), "final.bias": torch.zeros(3)}
    content = {"epoch": 10, "model_state_dict": weights, "optimizer_state_dict": {}} if wrapped else weights
    torch.save(content, tiny_checkpoints / "best_model.pth")
    torch.save(content, tiny_checkpoints / "unet_BCC_best.pth")
    assert "metadata-conditioned UNet of melanoma-fair-xai" in problem_of(tiny_checkpoints, "BCC")
    assert main(["models", "--checkpoints", str(tiny_checkpoints)]) == 0
    told = capsys.readouterr().out
    assert f"✗ {tiny_checkpoints / 'best_model.pth'} is the metadata-conditioned UNet of melanoma-fair-xai" in told
    assert "train --condition metadata" in told
    assert "3 of 7 classes can be generated" in told


def test_read_checkpoint_takes_a_file_by_its_path(tmp_path: Path) -> None:
    write_pipeline(tmp_path / "MEL")
    assert read_checkpoint(tmp_path / "MEL" / WEIGHTS).image_size == 16
