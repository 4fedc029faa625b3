"""Nothing in a checkpoint is believed: every nonsense is one sentence, and none takes long to find out."""

from __future__ import annotations

import contextlib
import pickle
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ArgumentError, CheckpointError
from core.generation.job import SAMPLERS
from core.generation.samplers import Sampler
from core.models.architectures import DEFAULT_SCHEDULER, DEFAULT_UNET, DEMO_UNET
from core.models.checkpoint_checks import check_config, check_scheduler
from core.models.checkpoints import class_status, load_file_safely, read_checkpoint
from core.models.guided_checkpoints import read_conditioned
from tests.conftest import SCHEDULER, TINY_UNET, tiny_unet, write_checkpoint, write_conditioned

PATH = Path("unet_MEL_best.pth")


def refused(file: Path, reason: str | None = None) -> str:
    started = time.monotonic()
    with pytest.raises(CheckpointError, match=reason) as error:
        read_checkpoint(file)
    text = str(error.value)
    assert "\n" not in text
    assert "weights_only" not in text
    assert len(text) < 600
    assert time.monotonic() - started < 20
    return text


CONFIGS: dict[str, Any] = {
    "layers_per_block": 10**6,
    "sample_size": 9,
    "norm_num_groups": -1,
    "norm_eps": "x",
    "time_embedding_type": "z",
    "block_out_channels": (8, 10**9),
    "down_block_types": ("DownBlock2D",) * 1000,
    "up_block_types": ("NoBlock2D", "UpBlock2D"),
    "act_fn": "z",
    "attention_head_dim": 10**12,
    "dropout": float("nan"),
    "num_train_timesteps": 10**12,
    "resnet_time_scale_shift": "z",
    "mid_block_scale_factor": 0,
    "flip_sin_to_cos": 7,
    "in_channels": True,
    "nobody_knows": [],
    "downsample_padding": 3,
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_nonsensical_configuration_is_one_sentence(tmp_path: Path, name: str) -> None:
    config = {**TINY_UNET, name: CONFIGS[name]}
    refused(write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet(), config=config))
    assert "\n" not in str(class_status(tmp_path, "MEL").problem)


SCHEDULERS: dict[str, Any] = {
    "num_train_timesteps": 10**12,
    "beta_schedule": "z",
    "beta_start": float("inf"),
    "prediction_type": "z",
    "variance_type": ["fixed_small"],
    "timestep_spacing": "z",
    "steps_offset": 10**6,
    "thresholding": 2,
    "dynamic_thresholding_ratio": 5.0,
    "clip_sample_range": "x",
    "sample_max_value": 10**400,
    "trained_betas": [0.1, 0.2],
    "rescale_betas_zero_snr": None,
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_nonsensical_schedule_is_one_sentence(tmp_path: Path, name: str) -> None:
    changed = {**SCHEDULER, name: SCHEDULERS[name]}
    refused(write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet(), scheduler=changed), name)
    write_conditioned(tmp_path)
    file = tmp_path / "unet_metadata_best.pth"
    torch.save({**torch.load(file, weights_only=True), "scheduler": changed}, file)
    with pytest.raises(CheckpointError, match=name):
        read_conditioned(file)


WEIGHTS: dict[str, Callable[[dict[Any, Any], str], dict[Any, Any]]] = {
    "meta": lambda weights, _: {name: tensor.to("meta") for name, tensor in weights.items()},
    "sparse": lambda weights, _: {name: tensor.to_sparse() for name, tensor in weights.items()},
    "a number for a name": lambda weights, _: {**weights, 5: torch.zeros(1)},
    "a text": lambda weights, first: {**weights, first: "x"},
    "nothing": lambda weights, first: {**weights, first: None},
    "whole numbers": lambda weights, first: {**weights, first: weights[first].long()},
    "complex numbers": lambda weights, first: {**weights, first: weights[first].to(torch.complex64)},
    "one value for all": lambda weights, first: {**weights, first: torch.zeros(1).expand(10**12)},
}


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("form", ["isicgui.unet/1", "bare"])
def test_weights_that_are_no_plain_tensors_are_one_sentence(tmp_path: Path, kind: str, form: str) -> None:
    weights = tiny_unet().state_dict()
    spoiled = WEIGHTS[kind](weights, next(iter(weights)))
    file = write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet(), state_dict=spoiled)
    if form == "bare":
        torch.save(spoiled, file)
    refused(file)


@pytest.mark.parametrize(
    "provenance", ["hello", 7, [1, 2], {"demonstration": torch.zeros(2)}, {"demonstration": "yes"}]
)
def test_a_provenance_of_another_form_is_no_provenance(tmp_path: Path, provenance: object) -> None:
    file = write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet(), provenance=provenance)
    assert not read_checkpoint(file).is_demo


def repacked(file: Path, compression: int) -> Path:
    target = file.with_name("unet_NV_best.pth")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w", compression) as packed:
        for name in source.namelist():
            packed.writestr(name, source.read(name))
    return target


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_file_that_was_compressed_again_is_refused(tmp_path: Path, compression: int) -> None:
    file = write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet())
    refused(repacked(file, compression), "packed again with compression")


def test_a_file_that_was_packed_again_without_compression_is_read_right(tmp_path: Path) -> None:
    file = write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet())
    found = read_checkpoint(repacked(file, zipfile.ZIP_STORED)).state_dict
    for name, tensor in read_checkpoint(file).state_dict.items():
        assert torch.equal(found[name], tensor)


def test_a_description_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet())
    monkeypatch.setattr("core.models.checkpoint_checks._MOST_PICKLED_BYTES", 1000)
    refused(file, "its description takes")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02.",
        b"\x80\x05.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x01(tK\x01K\x01K\x01tR.",
        pickle.dumps({"a": 1}, protocol=4),
        b"PK\x03\x04",
        b"PK\x05\x06" + bytes(18),
        b"(" * 100_000,
        b"\x80\x02" + b"]" * 100_000 + b".",
    ],
)
def test_what_is_no_checkpoint_is_one_sentence_without_a_librarys_advice(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "unet_MEL_best.pth"
    file.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refused(file)


def test_every_configuration_of_ours_is_accepted() -> None:
    for config in (DEFAULT_UNET, DEMO_UNET, TINY_UNET):
        check_config(PATH, config)
    for scheduler in (DEFAULT_SCHEDULER, SCHEDULER, {**SCHEDULER, "clip_sample_range": 5.0}):
        check_scheduler(PATH, scheduler)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.integers(-5, 300), max_size=4),
    st.sampled_from(["epsilon", "sample", "v_prediction", "linspace", "leading", "trailing", "scale_shift", "silu"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted({*TINY_UNET, *CONFIGS})), VALUES, min_size=1, max_size=3))
def test_no_configuration_is_a_traceback(tmp_path: Path, changes: dict[str, Any]) -> None:
    file = write_checkpoint(tmp_path / "unet_MEL_best.pth", tiny_unet(), config={**TINY_UNET, **changes})
    try:
        model = read_checkpoint(file).build()
    except CheckpointError as error:
        assert "\n" not in str(error)
        return
    size = model.config["sample_size"]
    with torch.inference_mode():
        model(torch.zeros(1, 3, size, size), 0)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted({*SCHEDULER, *SCHEDULERS})), VALUES, min_size=1, max_size=3))
def test_no_schedule_is_a_traceback(changes: dict[str, Any]) -> None:
    scheduler = {**SCHEDULER, **changes}
    try:
        check_scheduler(PATH, scheduler)
    except CheckpointError:
        return
    steps = min(5, scheduler["num_train_timesteps"])
    for name in SAMPLERS:
        with contextlib.suppress(ArgumentError):  # more steps than such a schedule has
            assert Sampler(name, scheduler, steps).timesteps


def test_a_file_of_the_old_format_is_still_read(tmp_path: Path) -> None:
    file = tmp_path / "old.pth"
    torch.save({"weight": torch.ones(3)}, file, _use_new_zipfile_serialization=False)
    assert torch.equal(load_file_safely(file)["weight"], torch.ones(3))
