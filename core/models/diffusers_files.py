"""Models as diffusers saves them, brought into the form of our own checkpoints: folders of ``save_pretrained``, and
single files of safetensors.

Nothing in such a file is executed: safetensors holds tensors alone, and a ``.bin`` is read as every checkpoint is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file

from core.errors import CheckpointError
from core.models.architectures import DEFAULT_SCHEDULER
from core.models.devices import enough_memory
from core.models.model_lookup import CONFIG, INDEX, WEIGHTS

DIFFUSERS_FOLDER: Final = "diffusers folder"
UNET_CLASS: Final = "UNet2DModel"
SCHEDULE: Final = (
    *("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type"),
    *("variance_type", "clip_sample", "clip_sample_range", "thresholding", "dynamic_thresholding_ratio"),
    *("sample_max_value", "rescale_betas_zero_snr"),
)
"""What of a scheduler's configuration belongs to the training schedule, and not to one sampler."""
_OF_EMA: Final = (
    *("decay", "min_decay", "optimization_step", "update_after_step", "use_ema_warmup", "inv_gamma", "power"),
)
_AUTOENCODER: Final = "vqvae"
_PARTS: Final = ("unet", "scheduler", _AUTOENCODER)
SUFFIX: Final = ".safetensors"


def is_diffusers_file(path: Path) -> bool:
    """Whether a file is one that ``read_diffusers_file`` reads."""
    return path.suffix == SUFFIX or path.name in (*WEIGHTS, CONFIG, INDEX)


def read_diffusers_file(path: Path, load: Any) -> dict[str, Any]:
    """The content of a UNet's weights with what the files beside it say.

    Args:
        path: a ``.safetensors`` file, or a file in a folder of diffusers (``core.models.model_lookup``).
        load: reads a ``.bin`` without executing anything in it.

    Returns:
        ``config``, ``scheduler``, ``state_dict`` and ``form``, if ``config.json`` is in the same folder, and
        ``autoencoder`` for a latent pipeline; otherwise the weights alone.

    Raises:
        CheckpointError: a part is missing, damaged, or another kind of model.
        JobFailedError: memory does not suffice.
    """
    if path.name in (CONFIG, INDEX):
        missing = WEIGHTS[0] if path.name == CONFIG else f"unet/{CONFIG}"
        raise CheckpointError(f"{path.parent} has {path.name} but no {missing}; save the pipeline or the UNet again.")
    weights = _load_safetensors(path) if path.suffix == SUFFIX else load(path)
    if not isinstance(weights, Mapping):
        raise CheckpointError(f"{path} holds a {type(weights).__name__}, not the weights of a UNet.")
    if path.name not in WEIGHTS or not (path.parent / CONFIG).is_file():
        return dict(weights)
    config = _read_json(path.parent / CONFIG)
    found = config.get("_class_name", UNET_CLASS)
    if found != UNET_CLASS:
        raise CheckpointError(f"{path.parent / CONFIG} describes a {found}; only a {UNET_CLASS} can be used.")
    content = {"config": _plain(config), "scheduler": _schedule(path.parent), "state_dict": dict(weights)}
    autoencoder = _autoencoder(path.parent.parent, load)
    return {**content, "form": DIFFUSERS_FOLDER, **({"autoencoder": autoencoder} if autoencoder else {})}


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if not name.startswith("_") and name not in _OF_EMA}


def _load_safetensors(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.")
    try:
        with enough_memory("cpu", f"the checkpoint {path.name}"):
            return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path} is damaged or not a file of safetensors ({reason}).") from error


def _autoencoder(folder: Path, load: Any) -> dict[str, Any] | None:
    """The autoencoder of an ``LDMPipeline`` as our own latent checkpoints hold it; None for a pipeline without one.

    Such a pipeline divides the latents by ``scaling_factor`` before it decodes them.
    """
    if not (folder / INDEX).is_file():
        return None
    index = _read_json(folder / INDEX)
    other = next((part for part in index if part not in _PARTS and not part.startswith("_")), None)
    if other:
        raise CheckpointError(
            f"{folder} is a {index.get('_class_name', 'pipeline')} with a part {other!r}; of diffusers' pipelines, "
            f"those of {', '.join(_PARTS)} can be used."
        )
    if not index.get(_AUTOENCODER):
        return None
    config = _read_json(folder / _AUTOENCODER / CONFIG)
    file = next((folder / _AUTOENCODER / name for name in WEIGHTS if (folder / _AUTOENCODER / name).is_file()), None)
    if file is None:
        raise CheckpointError(f"{folder / _AUTOENCODER} has no {WEIGHTS[0]}; save the pipeline again.")
    channels, scaling = config.get("latent_channels", 0), config.get("scaling_factor") or 1.0
    return {
        "class": config.get("_class_name"),
        "config": _plain(config),
        "state_dict": dict(_load_safetensors(file) if file.suffix == SUFFIX else load(file)),
        "mean": [0.0] * channels,
        "std": [1 / scaling] * channels,
    }


def _schedule(unet: Path) -> dict[str, Any]:
    """The training schedule of a pipeline, or the usual one for a UNet that was saved alone."""
    files = (unet.parent / "scheduler" / "scheduler_config.json", unet / "scheduler" / "scheduler_config.json")
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return dict(DEFAULT_SCHEDULER)
    values = _read_json(file)
    return {name: values[name] for name in SCHEDULE if name in values}


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} is damaged ({error}); save the pipeline or the UNet again.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} does not describe a model; save the pipeline or the UNet again.")
    return content
