"""Weights of a network with all that using them needs: read from any file that holds some, written for the program."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save

from core.classes import CLASSES
from core.errors import CheckpointError, JobFailedError
from core.io.atomic_files import write_whole
from core.models.autoencoders import AutoencoderWeights, read_autoencoder
from core.models.checkpoint_checks import check_config, check_scheduler, check_tensors
from core.models.checkpoints import LATENT_FORMAT, UNET_FORMAT, load_file_safely, read_checkpoint
from core.models.class_folding import fold_class, fold_condition
from core.models.conditions import Condition
from core.models.demo_set import AUTOENCODER_PREFIX, DESCRIPTION_FILE, WEIGHTS_FILE, read_bundle
from core.models.diffusers_files import is_diffusers_file
from core.models.guided_checkpoints import CONDITIONED_FILE, CONDITIONED_FORMAT, vocabulary_of
from core.paths import best_checkpoint_file
from diffusion.state import checked_state, conditioning_of, is_state

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
        autoencoder: of a network that denoises latents; None for images.
        conditions: the vocabulary of a network of all conditions; None for others.
    """

    config: dict[str, Any]
    scheduler: dict[str, Any]
    state_dict: dict[str, torch.Tensor] = field(repr=False)
    provenance: dict[str, Any]
    autoencoder: AutoencoderWeights | None = None
    conditions: dict[str, list[str]] | None = None

    @property
    def conditioning(self) -> str:
        """``none``, ``class``, ``metadata`` or ``all``."""
        return conditioning_of({"config": self.config, "conditions": self.conditions})

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
    content = {} if is_diffusers_file(path) else load_file_safely(path)
    if is_state(content):
        return weights_of(checked_state(path, content))
    if isinstance(content, Mapping) and _takes_conditions(content):
        plain = _described(path, content)
        if content["format"] == CONDITIONED_FORMAT:
            return plain
        autoencoder = read_autoencoder(path, content.get("autoencoder"))
        conditions = {name: list(values) for name, values in vocabulary_of(content).items()}
        return replace(plain, autoencoder=autoencoder, conditions=conditions)
    checkpoint = read_checkpoint(path)
    return Weights(
        checkpoint.config, checkpoint.scheduler, checkpoint.state_dict, checkpoint.provenance, checkpoint.autoencoder
    )


def _takes_conditions(content: Mapping[str, Any]) -> bool:
    form = content.get("format")
    return form == CONDITIONED_FORMAT or (form == LATENT_FORMAT and "conditions" in content)


def weights_of(state: Mapping[str, Any]) -> Weights:
    """The averaged weights of a training state."""
    training = state["training_config"]
    kept = ("stages", "architecture", "prediction_type", "seed", "ema_decay", "precision")
    described = {key: training[key] for key in kept if key in training}
    provenance = {**state.get("data", _FORMERLY), "step": state["step"], "training": described}
    best = state["stopping"]["best"] if "stopping" in state else math.inf
    if math.isfinite(best):
        provenance["held_out_loss"] = best
    autoencoder = None
    if "autoencoder" in state:
        autoencoder = read_autoencoder(Path("the training state"), state["autoencoder"])
        provenance["autoencoder"] = state.get("data", {}).get("autoencoder", {})
    return Weights(
        dict(state["config"]),
        dict(state["scheduler"]),
        dict(state["average"]["shadow"]),
        provenance,
        autoencoder,
        state.get("conditions"),
    )


def _read_demo_set(folder: Path) -> Weights:
    bundle = read_bundle(folder)
    plain = _described(folder, {**bundle.description, "state_dict": bundle.unet})
    described, autoencoder = bundle.description.get("autoencoder"), None
    if bundle.autoencoder:
        entry = {**described, "state_dict": bundle.autoencoder} if isinstance(described, Mapping) else None
        autoencoder = read_autoencoder(folder, entry)
    return replace(plain, autoencoder=autoencoder, conditions=bundle.description.get("conditions"))


def _described(path: Path, content: Mapping[str, Any]) -> Weights:
    parts = [content.get(name) for name in ("config", "scheduler", "state_dict", "provenance")]
    config, scheduler, weights, provenance = (dict(part) if isinstance(part, Mapping) else None for part in parts)
    if config is None or scheduler is None or weights is None or provenance is None:
        raise CheckpointError(f"{path} lacks a configuration, a scheduler, weights or their provenance.")
    check_config(path, config)
    check_scheduler(path, scheduler)
    check_tensors(path, weights)
    return Weights(config, scheduler, weights, provenance)


def write_checkpoints(weights: Weights, folder: Path, classes: list[str]) -> list[Path]:
    """Write the files that the program uses: one per class, one for a network that takes metadata, or both.

    Args:
        weights: of a network of one class, of all classes, or of metadata.
        folder: the checkpoints folder.
        classes: the class codes to write; one for a network of one class, none for metadata.

    Returns:
        The files written.

    Raises:
        JobFailedError: the folder cannot be written or the disk is full.
    """
    form = LATENT_FORMAT if weights.autoencoder else UNET_FORMAT
    contents = {}
    if weights.conditioning in ("metadata", "all"):
        contents[folder / CONDITIONED_FILE] = _content(weights, form if weights.autoencoder else CONDITIONED_FORMAT, {})
    if weights.conditioning != "metadata":
        contents |= {
            best_checkpoint_file(folder, name): _content(_of_class(weights, name), form, {"class": name})
            for name in classes
        }
    for file, content in contents.items():
        _write(file, _as_bytes(content))
    return list(contents)


def write_demo_set(weights: Weights, folder: Path) -> None:
    """Write a network of all classes in fp16, with its description, as the bundled demonstration set.

    Raises:
        CheckpointError: the network does not know the classes.
        JobFailedError: the folder cannot be written.
    """
    if weights.conditioning not in ("class", "all"):
        raise CheckpointError("A demonstration set is made of one network of all classes; this one is not.")
    tensors = dict(weights.state_dict)
    description: dict[str, Any] = {
        "config": weights.config,
        "scheduler": weights.scheduler,
        "provenance": weights.provenance,
    }
    if weights.autoencoder:
        described = weights.autoencoder.to_content()
        tensors |= {f"{AUTOENCODER_PREFIX}{name}": tensor for name, tensor in described.pop("state_dict").items()}
        description |= {"conditions": weights.conditions, "autoencoder": described}
    _write(folder / WEIGHTS_FILE, save({name: tensor.half().contiguous() for name, tensor in tensors.items()}))
    _write(folder / DESCRIPTION_FILE, json.dumps(description, indent=2).encode() + b"\n")


def _of_class(weights: Weights, class_name: str) -> Weights:
    if weights.conditioning == "none":
        return weights
    if weights.conditions:
        vocabulary = {name: tuple(values) for name, values in weights.conditions.items()}
        known = Condition(class_name=class_name)
        state_dict, config = fold_condition(weights.state_dict, weights.config, known, vocabulary)
    else:
        state_dict, config = fold_class(weights.state_dict, weights.config, CLASSES.index(class_name))
    return replace(weights, config=config, state_dict=state_dict, conditions=None)


def _content(weights: Weights, form: str, extra: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": form,
        "config": weights.config,
        "scheduler": weights.scheduler,
        "state_dict": {name: tensor.detach().cpu() for name, tensor in weights.state_dict.items()},
        "provenance": {**weights.provenance, **extra},
        **({"autoencoder": weights.autoencoder.to_content()} if weights.autoencoder else {}),
        **({"conditions": weights.conditions} if weights.conditions else {}),
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
