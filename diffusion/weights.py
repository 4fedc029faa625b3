"""Weights of a network with all that using them needs: read from any file that holds some, written for the program."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save

from core.classes import CLASSES
from core.errors import CheckpointError, JobFailedError
from core.io.atomic_files import write_whole
from core.models.checkpoints import UNET_FORMAT, load_file_safely, read_checkpoint
from core.models.class_folding import fold_class
from core.models.demo_set import DESCRIPTION_FILE, WEIGHTS_FILE
from core.models.guided_checkpoints import CONDITIONED_FILE, CONDITIONED_FORMAT
from core.paths import checkpoint_file
from diffusion.state import conditioning_of, is_state

HAM10000: Final = {
    "data": "HAM10000 (Tschandl et al. 2018, doi:10.1038/sdata.2018.161), CC BY-NC 4.0",
    "licence": "CC BY-NC 4.0",
}
"""What weights trained on it must say."""

_FORMERLY = HAM10000  # states that do not name their images are older than training on anything else
_TOLD = ("num_class_embeds", "class_embed_type")


@dataclass(frozen=True)
class Weights:
    """A trained network.

    Attributes:
        config: arguments of ``core.models.condition_embedding.build_unet``.
        scheduler: arguments of ``DDPMScheduler``.
        state_dict: the weights; averaged ones where the file has them.
        provenance: what is known of their origin.
    """

    config: dict[str, Any]
    scheduler: dict[str, Any]
    state_dict: dict[str, torch.Tensor] = field(repr=False)
    provenance: dict[str, Any]

    @property
    def conditioning(self) -> str:
        """``none``, ``class`` or ``metadata``."""
        return conditioning_of({"config": self.config})

    @property
    def trunk(self) -> dict[str, Any]:
        """The configuration apart from what the network is told; comparable, whatever file it came from."""
        plain = {key: value for key, value in self.config.items() if key not in _TOLD}
        return dict(json.loads(json.dumps(plain)))


def read_weights(path: Path) -> Weights:
    """Read a training state, a checkpoint of any form, or a folder with the demonstration set.

    Raises:
        CheckpointError: there is none, or it cannot be used.
    """
    if path.is_dir():
        return _read_demo_set(path)
    content = load_file_safely(path)
    if is_state(content):
        return weights_of(content)
    if isinstance(content, Mapping) and content.get("format") == CONDITIONED_FORMAT:
        return Weights(*(dict(content[key]) for key in ("config", "scheduler", "state_dict", "provenance")))
    checkpoint = read_checkpoint(path)
    return Weights(checkpoint.config, checkpoint.scheduler, checkpoint.state_dict, checkpoint.provenance)


def weights_of(state: Mapping[str, Any]) -> Weights:
    """The averaged weights of a training state."""
    training = state["training_config"]
    kept = ("stages", "architecture", "prediction_type", "seed", "ema_decay", "precision")
    described = {key: training[key] for key in kept if key in training}
    provenance = {**state.get("data", _FORMERLY), "step": state["step"], "training": described}
    best = state["stopping"]["best"] if "stopping" in state else math.inf
    if math.isfinite(best):
        provenance["held_out_loss"] = best
    return Weights(dict(state["config"]), dict(state["scheduler"]), dict(state["average"]["shadow"]), provenance)


def _read_demo_set(folder: Path) -> Weights:
    try:
        described = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        return Weights(
            described["config"], described["scheduler"], load_file(folder / WEIGHTS_FILE), described["provenance"]
        )
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{folder} is not a demonstration set ({DESCRIPTION_FILE} and {WEIGHTS_FILE})."
        ) from error


def write_checkpoints(weights: Weights, folder: Path, classes: list[str]) -> list[Path]:
    """Write the files that the program uses: one a class, or one for a network that takes metadata.

    Args:
        weights: of a network of one class, of all classes, or of metadata.
        folder: the checkpoints folder.
        classes: the class codes to write; one for a network of one class, none for metadata.

    Returns:
        The files written.

    Raises:
        JobFailedError: the folder cannot be written or the disk is full.
    """
    if weights.conditioning == "metadata":
        contents = {folder / CONDITIONED_FILE: _content(weights, CONDITIONED_FORMAT, {})}
    else:
        contents = {
            checkpoint_file(folder, name): _content(_of_class(weights, name), UNET_FORMAT, {"class": name})
            for name in classes
        }
    for file, content in contents.items():
        _write(file, _as_bytes(content))
    return list(contents)


def write_demo_set(weights: Weights, folder: Path) -> None:
    """Write a class-conditional network in fp16, with its description, as the bundled demonstration set.

    Raises:
        CheckpointError: the network is not class-conditional.
        JobFailedError: the folder cannot be written.
    """
    if weights.conditioning != "class":
        raise CheckpointError("A demonstration set is made of one network of all classes; this one is not.")
    halved = {name: tensor.half().contiguous() for name, tensor in weights.state_dict.items()}
    _write(folder / WEIGHTS_FILE, save(halved))
    description = {"config": weights.config, "scheduler": weights.scheduler, "provenance": weights.provenance}
    _write(folder / DESCRIPTION_FILE, json.dumps(description, indent=2).encode() + b"\n")


def _of_class(weights: Weights, class_name: str) -> Weights:
    if weights.conditioning == "none":
        return weights
    state_dict, config = fold_class(weights.state_dict, weights.config, CLASSES.index(class_name))
    return Weights(config, weights.scheduler, state_dict, weights.provenance)


def _content(weights: Weights, form: str, extra: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": form,
        "config": weights.config,
        "scheduler": weights.scheduler,
        "state_dict": {name: tensor.detach().cpu() for name, tensor in weights.state_dict.items()},
        "provenance": {**weights.provenance, **extra},
    }


def _as_bytes(content: dict[str, Any]) -> bytes:
    # Saved to memory first: the archive then has the same bytes whatever the file is called.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _write(file: Path, data: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, data)
    except OSError as error:
        raise JobFailedError(f"{file} cannot be written ({error.strerror}); what was there before is whole.") from error
