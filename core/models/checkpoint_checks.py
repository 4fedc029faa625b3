"""What must hold of the content of a checkpoint before anything is built from it: nothing in a file is believed."""

from __future__ import annotations

import contextlib
import math
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from core.errors import CheckpointError

MOST_TIMESTEPS: Final = 10_000
_MOST_LAYERS: Final = 8
_MOST_LEVELS: Final = 8
_MOST_CHANNELS: Final = 4096
_LONGEST_TEXT: Final = 64
_MOST_PICKLED_BYTES: Final = 1 << 26
DAMAGED: Final = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError, OSError),
    *(RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error, zipfile.BadZipFile),
)
"""What opening a damaged file of weights, or building a network from a nonsensical description, raises."""

_Check = tuple[Callable[[Any], bool], str]


def _integer(low: int, high: int) -> _Check:
    return lambda value: type(value) is int and low <= value <= high, f"a whole number from {low} to {high}"


def _number(low: float, high: float) -> _Check:
    return lambda value: _is_number(value) and low <= value <= high, f"a number from {low:g} to {high:g}"


def _one_of(*choices: object) -> _Check:
    return lambda value: any(value is choice or _same(value, choice) for choice in choices), (
        f"one of {', '.join(map(str, choices))}"
    )


def _or_none(check: _Check) -> _Check:
    return lambda value: value is None or check[0](value), f"{check[1]}, or nothing"


def _several(check: _Check, most: int) -> _Check:
    return (
        lambda value: isinstance(value, (list, tuple)) and 1 <= len(value) <= most and all(map(check[0], value)),
        f"1 to {most} values, each {check[1]}",
    )


def _is_number(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return type(value) is int  # of any size: math.isfinite cannot take one that no float holds


def _same(value: object, choice: object) -> bool:
    return isinstance(value, str) and isinstance(choice, str) and value == choice


_TEXT: Final[_Check] = lambda value: isinstance(value, str) and len(value) <= _LONGEST_TEXT, "a short text"
_TRUTH: Final = _one_of(True, False)
_UNET: Final[Mapping[str, _Check]] = {
    "sample_size": _integer(1, 1024),
    "in_channels": _integer(1, 256),
    "out_channels": _integer(1, 256),
    "layers_per_block": _integer(1, _MOST_LAYERS),
    "block_out_channels": _several(_integer(1, _MOST_CHANNELS), _MOST_LEVELS),
    "down_block_types": _several(_TEXT, _MOST_LEVELS),
    "up_block_types": _several(_TEXT, _MOST_LEVELS),
    "norm_num_groups": _integer(1, _MOST_CHANNELS),
    "attn_norm_num_groups": _or_none(_integer(1, _MOST_CHANNELS)),
    "attention_head_dim": _or_none(_integer(1, _MOST_CHANNELS)),
    "norm_eps": _number(0, 1),
    "dropout": _number(0, 0.99),
    "mid_block_scale_factor": _number(1e-6, 1e6),
    "downsample_padding": _integer(0, 4),
    "freq_shift": _number(-1000, 1000),
    "num_train_timesteps": _or_none(_integer(1, MOST_TIMESTEPS)),
    "num_class_embeds": _or_none(_integer(1, MOST_TIMESTEPS)),
    "time_embedding_type": _one_of("positional", "fourier", "learned"),
    "resnet_time_scale_shift": _TEXT,
    "act_fn": _TEXT,
    "downsample_type": _TEXT,
    "upsample_type": _TEXT,
    "flip_sin_to_cos": _TRUTH,
    "center_input_sample": _TRUTH,
    "add_attention": _TRUTH,
}
_SCHEDULER: Final[Mapping[str, _Check]] = {
    "num_train_timesteps": _integer(1, MOST_TIMESTEPS),
    "beta_start": _number(0, 1),
    "beta_end": _number(0, 1),
    "beta_schedule": _one_of("linear", "scaled_linear", "squaredcos_cap_v2"),
    "trained_betas": _or_none(_several(_number(0, 1), MOST_TIMESTEPS)),
    "prediction_type": _one_of("epsilon", "sample", "v_prediction"),
    "variance_type": _one_of("fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"),
    "timestep_spacing": _one_of("leading", "linspace", "trailing"),
    "steps_offset": _integer(0, 1),
    "clip_sample": _TRUTH,
    "clip_sample_range": _number(1e-6, 1e6),
    "thresholding": _TRUTH,
    "dynamic_thresholding_ratio": _number(0, 1),
    "sample_max_value": _number(1, 1e6),
    "rescale_betas_zero_snr": _TRUTH,
}


def check_archive(path: Path) -> None:
    """Refuse a zip that ``torch.load`` would read wrong: its weights are mapped into memory as they lie in the file.

    Raises:
        CheckpointError: a member is compressed or encrypted, or the pickled description is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except DAMAGED as error:
        raise CheckpointError(f"{path} is damaged: its archive cannot be read ({first_sentence(error)}).") from error
    for member in members:
        packed = member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size
        if packed or member.flag_bits & 0x1:
            raise CheckpointError(
                f"{path} was packed again with compression or a password, so its weights cannot be read; "
                "use the file as torch.save wrote it."
            )
        if member.filename.endswith(".pkl") and member.file_size > _MOST_PICKLED_BYTES:
            raise CheckpointError(f"{path} is refused: its description takes {member.file_size:,} bytes.")


def check_config(path: Path, config: Mapping[str, Any]) -> None:
    """Refuse a configuration of ``diffusers.UNet2DModel`` that would take for ever to build, or that cannot work.

    Raises:
        CheckpointError: names the setting, its value and what it may be.
    """
    _check_values(path, config, _UNET)
    channels, groups = config.get("block_out_channels", ()), config.get("norm_num_groups", 32)
    if any(width % groups for width in channels):
        raise CheckpointError(f"{path} has norm_num_groups {groups}, which does not divide every width of {channels}.")
    size, halvings = config.get("sample_size", 1), max(0, len(channels) - 1)
    if size % (1 << halvings):
        raise CheckpointError(f"{path} has sample_size {size}, which cannot be halved {halvings} times.")


def check_scheduler(path: Path, scheduler: Mapping[str, Any]) -> None:
    """Refuse a training schedule that no sampler can be made from.

    Raises:
        CheckpointError: names the setting, its value and what it may be.
    """
    _check_values(path, scheduler, _SCHEDULER)
    betas = scheduler.get("trained_betas")
    if betas is not None and len(betas) != scheduler.get("num_train_timesteps", 1000):
        raise CheckpointError(f"{path} has {len(betas)} trained_betas, not one for each of its timesteps.")


def check_autoencoder(path: Path, config: Mapping[str, Any]) -> None:
    """Refuse the configuration of an autoencoder that would take for ever to build.

    Raises:
        CheckpointError: names the setting, its value and what it may be.
    """
    for name, value in config.items():
        counted = isinstance(name, str) and ("layers" in name or "blocks" in name)
        number = _integer(0, _MOST_LAYERS if counted else _MOST_CHANNELS)[0]
        for one in value if isinstance(value, (list, tuple)) else (value,):
            plain = one is None or number(one) or (_is_number(one) and isinstance(one, float))
            if not plain and not isinstance(one, (bool, list, tuple)) and not _TEXT[0](one):
                raise CheckpointError(f"{path} has an autoencoder with {name} {_short(one)}, which is not possible.")
            if isinstance(one, (list, tuple)) and (len(one) > _MOST_LEVELS or not all(map(number, one))):
                raise CheckpointError(f"{path} has an autoencoder with {name} {_short(one)}, which is not possible.")
        if isinstance(value, (list, tuple)):
            most = _MOST_CHANNELS if all(isinstance(one, float) for one in value) else _MOST_LEVELS
            if len(value) > most:
                raise CheckpointError(f"{path} has an autoencoder with {len(value)} {name}, not 1 to {most}.")


def check_tensors(path: Path, weights: Mapping[Any, Any]) -> None:
    """Refuse what is not named tensors with values on the processor, in the plain layout.

    Raises:
        CheckpointError: names the first that is something else.
    """
    for name, tensor in weights.items():
        if not isinstance(name, str):
            raise CheckpointError(f"{path} has a weight whose name is the {type(name).__name__} {str(name)[:40]}.")
        if not isinstance(tensor, torch.Tensor):
            raise CheckpointError(f"{path} holds a {type(tensor).__name__} for the weight {name}.")
        plain = tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_complex()
        if not plain or tensor.device.type != "cpu":
            raise CheckpointError(
                f"{path} holds the weight {name} in a form that is not read ({tensor.dtype}, {tensor.layout}, "
                f"{tensor.device.type}); "
                "save plain tensors."
            )


def check_runs(path: Path, model: Any, config: Mapping[str, Any]) -> None:
    """Refuse an architecture that can be built and cannot be evaluated; it computes shapes alone.

    Args:
        path: of the checkpoint, for the message.
        model: a ``UNet2DModel`` on the device ``meta``.
        config: its configuration.

    Raises:
        CheckpointError: it cannot be evaluated, or what it predicts has another shape than what it is given.
    """
    size, channels = config.get("sample_size") or 1, config.get("in_channels", 3)
    try:
        with torch.inference_mode():
            noisy = torch.empty(1, channels, size, size, device="meta")
            found = model(noisy, 0, return_dict=False)[0]
    except DAMAGED as error:
        raise CheckpointError(f"{path} describes a UNet that cannot be evaluated ({first_sentence(error)}).") from error
    if found.shape[2:] != noisy.shape[2:]:
        raise CheckpointError(f"{path} describes a UNet whose output has the shape {tuple(found.shape)}.")


def first_sentence(error: BaseException) -> str:
    """The reason of a library's error, without the advice that follows it."""
    text = re.split(r"(?<=[.!?:])\s|\n", str(error).strip(), maxsplit=1)[0].rstrip(".:")
    return type(error).__name__ if not text or "weights_only" in text else text[:200]


@contextlib.contextmanager
def without_advice() -> Iterator[None]:
    """Keep a library's warnings on the form of a file from the user, who can do nothing about it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
        yield


def _check_values(path: Path, values: Mapping[str, Any], checks: Mapping[str, _Check]) -> None:
    for name, value in values.items():
        if not isinstance(name, str):
            raise CheckpointError(f"{path} has a setting whose name is the {type(name).__name__} {str(name)[:40]}.")
        holds, form = checks.get(name, (lambda _: True, ""))
        if not holds(value):
            raise CheckpointError(f"{path} has {name} {_short(value)}; it must be {form}.")


def _short(value: object) -> str:
    text = f"{value!r}" if isinstance(value, (int, float, str, bool, type(None))) else type(value).__name__
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
