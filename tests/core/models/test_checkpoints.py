from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from core.classes import CLASSES
from core.download.content import opens
from core.errors import CheckpointError, JobFailedError
from core.io.atomic_files import sha256_of
from core.models.architectures import DEFAULT_UNET
from core.models.checkpoints import ModelCache, class_status, read_checkpoint
from core.process.exit_codes import FAILED, code_of
from tests.conftest import SCHEDULER, TINY_UNET, tiny_unet, write_checkpoint

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def default_weights() -> dict[str, torch.Tensor]:
    from diffusers import UNet2DModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return UNet2DModel(**DEFAULT_UNET).state_dict()


def output(model: Any) -> torch.Tensor:
    """What a model answers to one fixed question."""
    size = int(model.config["sample_size"])
    noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return model(noise.to(model.dtype), 500).sample


def test_the_published_form_is_a_bare_state_dict(tmp_path: Path, default_weights: dict[str, torch.Tensor]) -> None:
    file = tmp_path / "unet_MEL_best.pth"
    torch.save({name: tensor.half() for name, tensor in default_weights.items()}, file)
    checkpoint = read_checkpoint(file)
    assert checkpoint.form == "bare state_dict"
    assert checkpoint.image_size == 128
    assert checkpoint.parameters == 25_304_963  # the 25.3 million of the published checkpoints
    assert checkpoint.scheduler["beta_schedule"] == "squaredcos_cap_v2"
    model = checkpoint.build()
    name = "conv_in.weight"
    assert torch.equal(model.state_dict()[name], default_weights[name].half().float())


def test_attention_weights_under_their_older_names(tmp_path: Path, default_weights: dict[str, torch.Tensor]) -> None:
    old_names = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    old: dict[str, torch.Tensor] = {}
    for name, tensor in default_weights.items():
        for new, former in old_names.items():
            if new in name:
                name = name.replace(new, former)  # noqa: PLW2901
                if name.endswith("weight"):  # as the original DDPM's 1x1 convolutions
                    tensor = tensor[:, :, None, None]  # noqa: PLW2901
        old["module." + name] = tensor
    assert any(".query.weight" in name for name in old)
    torch.save(old, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth").state_dict
    assert found.keys() == default_weights.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in default_weights.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_every_float_dtype_loads(tmp_path: Path, dtype: torch.dtype) -> None:
    model = tiny_unet()
    weights = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    file = write_checkpoint(tmp_path / "a.pth", model, state_dict=weights)
    loaded = read_checkpoint(file).build()
    assert torch.allclose(output(loaded), output(model), atol=0.05 if dtype.itemsize == 2 else 1e-6)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda good, bad, _names: {"model_state_dict": good, "epoch": 7, "optimizer": {"lr": 1}},
        lambda good, bad, _names: {"model_state_dict": bad, "ema_state_dict": good},
        lambda good, bad, _names: {"model": bad, "ema": {"decay": 0.99, "shadow": good}},
        lambda good, bad, names: {"model_state_dict": bad, "ema": {"shadow_params": [good[name] for name in names]}},
        lambda good, bad, _names: {"state_dict": OrderedDict(("_orig_mod.module." + n, t) for n, t in good.items())},
    ],
    ids=["trained", "averaged", "shadow", "shadow_params", "wrapped"],
)
def test_training_files_give_their_averaged_weights(
    tmp_path: Path, wrap: Any, default_weights: dict[str, torch.Tensor]
) -> None:
    from diffusers import UNet2DModel

    with torch.device("meta"):
        names = [name for name, _ in UNet2DModel(**DEFAULT_UNET).named_parameters()]
    bad = {name: torch.zeros_like(tensor) for name, tensor in default_weights.items()}
    torch.save(wrap(default_weights, bad, names), tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth").state_dict
    assert all(torch.equal(found[name], tensor) for name, tensor in default_weights.items())


def test_a_file_in_the_old_format_loads_too(tmp_path: Path, default_weights: dict[str, torch.Tensor]) -> None:
    torch.save(default_weights, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / "a.pth").parameters == 25_304_963


class Evil:
    """Would make a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (self.target,)


def test_nothing_in_a_malicious_file_is_executed(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    torch.save({"conv_in.weight": Evil(target)}, tmp_path / "zip.pth")
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps(Evil(target), protocol=2))
    for name in ("zip.pth", "pickle.pth"):
        with pytest.raises(CheckpointError, match="refused"):
            read_checkpoint(tmp_path / name)
        assert not target.exists()


def test_damaged_files_are_named(tmp_path: Path) -> None:
    whole = write_checkpoint(tmp_path / "whole.pth", tiny_unet()).read_bytes()
    damaged = {
        "empty": b"",
        "text": b"<html>quota exceeded</html>",
        "cut": whole[: len(whole) // 2],
        "tail": whole[-100:],
        "zeros": b"\0" * 4096,
    }
    for name, content in damaged.items():
        file = tmp_path / f"{name}.pth"
        file.write_bytes(content)
        with pytest.raises(CheckpointError, match=rf"{name}\.pth"):
            read_checkpoint(file)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        read_checkpoint(tmp_path / "nowhere.pth")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    ],
)
def test_too_little_memory_to_read_a_file_is_not_taken_for_damage(
    tiny_checkpoints: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def load(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", load)
    said = r"^There is not enough memory on cpu for the checkpoint unet_MEL_best\.pth; close other programs"
    with pytest.raises(JobFailedError, match=said) as raised:
        read_checkpoint(tiny_checkpoints / "unet_MEL_best.pth")
    assert code_of(raised.value) == FAILED
    assert class_status(tiny_checkpoints, "MEL").problem == str(raised.value)
    (tiny_checkpoints / "classifier.pth").write_bytes(b"weights")
    with pytest.raises(JobFailedError, match=r"not enough memory on cpu for the checkpoint classifier\.pth"):
        opens(tiny_checkpoints / "classifier.pth")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to such a limit")
def test_an_old_file_that_memory_does_not_suffice_for_is_not_called_damaged(
    tmp_path: Path, default_weights: dict[str, torch.Tensor]
) -> None:
    """As the system itself refuses it: the old format is read into memory, the present one is mapped."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "import psutil\n"
        "from core.models.checkpoints import load_file_safely\n"
        "from core.errors import JobFailedError\n"
        "limit = psutil.Process().memory_info().vms + 40 * 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        load_file_safely(Path(name))\n"
        "    except JobFailedError as error:\n"
        "        print(error)"
    )
    files = [tmp_path / "old.pth", tmp_path / "new.pth"]
    for file in files:
        torch.save(default_weights, file, _use_new_zipfile_serialization=file.stem == "new")
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, files)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line.partition(";")[0] for line in done.stdout.splitlines()] == [
        f"There is not enough memory on cpu for the checkpoint {file.name}" for file in files
    ], done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "holds a list"),
        ({}, "no weights"),
        ({"state_dict": {}}, "no weights"),
        ({"fc.weight": torch.zeros(7, 512)}, "missing"),
        ({"format": "isicgui.unet/1"}, 'no "config"'),
        ({"format": "isicgui.unet/1", "config": {**TINY_UNET, "sample_size": 99_999}}, "99999"),
        ({"format": "isicgui.unet/1", "config": {**TINY_UNET, "in_channels": 1}}, "RGB"),
        ({"format": "isicgui.unet/1", "config": {**TINY_UNET, "num_class_embeds": 7}}, "class-conditional"),
    ],
)
def test_foreign_files_are_told_apart(tmp_path: Path, content: Any, said: str) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=said):
        read_checkpoint(tmp_path / "a.pth")


def test_weights_of_another_shape_are_named(tmp_path: Path) -> None:
    model = tiny_unet()
    weights = model.state_dict()
    for change, said in [
        ({"conv_in.weight": torch.zeros(8, 3, 5, 5)}, "conv_in.weight is"),
        ({"conv_in.bias": torch.zeros(8, dtype=torch.int64)}, "conv_in.bias is"),
        ({"extra.weight": torch.zeros(1)}, "extra.weight"),
    ]:
        file = write_checkpoint(tmp_path / "a.pth", model, state_dict={**weights, **change})
        with pytest.raises(CheckpointError, match=said):
            read_checkpoint(file)
    file = write_checkpoint(tmp_path / "a.pth", model, config={**TINY_UNET, "down_block_types": ("NoBlock",) * 2})
    with pytest.raises(CheckpointError, match="cannot be built"):
        read_checkpoint(file)


def test_reading_draws_no_random_numbers(tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "a.pth", tiny_unet())
    torch.manual_seed(1)
    before = torch.get_rng_state()
    read_checkpoint(file).build()
    assert torch.equal(torch.get_rng_state(), before)


def test_class_status_says_what_is_there(tiny_checkpoints: Path) -> None:
    (tiny_checkpoints / "unet_BCC_best.pth").write_bytes(b"nonsense")
    found = {name: class_status(tiny_checkpoints, name) for name in CLASSES}
    assert [name for name in CLASSES if found[name].problem is None] == ["MEL", "NV", "DF"]
    assert found["VASC"].problem == "no file"
    assert "damaged" in str(found["BCC"].problem) or "refused" in str(found["BCC"].problem)
    assert found["MEL"].sha256 == sha256_of(tiny_checkpoints / "unet_MEL_best.pth")
    assert found["MEL"].checkpoint is not None
    assert found["MEL"].checkpoint.scheduler == SCHEDULER


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_model_in_memory_leaves_its_file_alone(tiny_checkpoints: Path, precision: str) -> None:
    """The file can be replaced (on Windows) or written over (elsewhere), and the model stays what it is."""
    file = tiny_checkpoints / "unet_MEL_best.pth"
    cache = ModelCache()
    loaded = cache.get(file, CPU, precision)
    assert str(file) not in {region.path for region in psutil.Process().memory_maps()}
    before = output(loaded.model)
    with file.open("r+b") as stream:
        stream.write(bytes(file.stat().st_size))
    assert torch.equal(output(loaded.model), before)
    assert before.std() > 0


def test_a_built_model_shares_no_memory_with_its_checkpoint(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(write_checkpoint(tmp_path / "a.pth", tiny_unet()))
    ours = {weight.untyped_storage().data_ptr() for weight in checkpoint.build(plain=True).parameters()}
    assert not ours & {tensor.untyped_storage().data_ptr() for tensor in checkpoint.state_dict.values()}


def test_the_cache_keeps_models_until_file_device_or_bound_change(tiny_checkpoints: Path) -> None:
    mel, nv = tiny_checkpoints / "unet_MEL_best.pth", tiny_checkpoints / "unet_NV_best.pth"
    cache = ModelCache()
    first = cache.get(mel, CPU, "fp32")
    assert cache.get(mel, CPU, "fp32") is first
    assert cache.get(mel, CPU, "bf16") is not first
    write_checkpoint(mel, tiny_unet(99))
    changed = cache.get(mel, CPU, "fp32")
    assert changed.sha256 != first.sha256
    cache.get(nv, torch.device("meta"), "fp32")
    assert len(cache) == 1  # the models of the other device were let go

    small = ModelCache(limit=first.bytes + 1)
    one = small.get(mel, CPU, "fp32")
    small.get(nv, CPU, "fp32")
    assert len(small) == 1
    assert small.get(mel, CPU, "fp32") is not one
