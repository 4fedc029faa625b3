"""``python -m diffusion inspect FILE``: what a training state or a checkpoint is, in words or as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.io.atomic_files import sha256_of
from core.io.plain_text import printable
from core.models.checkpoints import load_file_safely, read_checkpoint
from core.models.guided_checkpoints import CONDITIONED_FORMAT
from diffusion.state import STATE_FORMAT, checked_state, conditioning_of, is_state
from diffusion.weights import read_weights

_CONDITIONS = {
    "none": "only the timestep",
    "class": "the class",
    "metadata": "the twelve numbers of a condition",
    "all": "class, metadata and skin tone",
}


def describe(path: Path) -> dict[str, Any]:
    """What a file is, as plain JSON values.

    Raises:
        CheckpointError: it is not there, damaged or nothing of the kind.
    """
    if path.is_dir():
        return {"file": path.name, "form": "demonstration set", **_of_network(path)}
    facts: dict[str, Any] = {"file": path.name, "bytes": path.stat().st_size if path.is_file() else 0}
    content = load_file_safely(path)
    if is_state(content):
        return {**facts, "form": STATE_FORMAT, **_of_network(path), **_of_run(checked_state(path, content))}
    if isinstance(content, Mapping) and (content.get("format") == CONDITIONED_FORMAT or content.get("conditions")):
        form = str(content["format"])
    else:
        form = read_checkpoint(path).form
    return {**facts, "sha256": sha256_of(path), "form": form, **_of_network(path)}


def as_text(facts: Mapping[str, Any]) -> str:
    """The same for people, a fact a line."""
    return "\n".join(printable(f"{name.replace('_', ' ')}: {_words(value)}") for name, value in facts.items())


def _of_network(path: Path) -> dict[str, Any]:
    weights = read_weights(path)
    return {
        "network": "UNet2DModel " + "-".join(str(width) for width in weights.config["block_out_channels"]),
        "image_size": weights.config["sample_size"] * (weights.autoencoder.ratio if weights.autoencoder else 1),
        **({"autoencoder": weights.autoencoder.class_name} if weights.autoencoder else {}),
        "parameters": sum(tensor.numel() for tensor in weights.state_dict.values()),
        "dtypes": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in weights.state_dict.values()}),
        "conditioned_on": _CONDITIONS[weights.conditioning],
        "predicts": weights.scheduler.get("prediction_type", "epsilon"),
        "scheduler": weights.scheduler,
        "architecture": weights.config,
        "provenance": weights.provenance,
    }


def _of_run(state: Mapping[str, Any]) -> dict[str, Any]:
    training = state["training_config"]
    facts: dict[str, Any] = {
        "step": state["step"],
        "steps": sum(stage["steps"] for stage in training["stages"]),
        "conditioning": conditioning_of(state),
        "training": training,
    }
    if "stopping" in state and math.isfinite(state["stopping"]["best"]):
        facts["stopping"] = state["stopping"]
    return facts


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items() if inner is not None) or "(none)"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_words(inner) for inner in value) + "]"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
