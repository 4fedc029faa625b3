"""Checkpoints of a metadata-conditioned model, used under one condition at a time, with classifier-free guidance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch

from core.errors import CheckpointError
from core.io.atomic_files import sha256_of
from core.models.checkpoints import (
    LATENT_FORMAT,
    Checkpoint,
    LoadedModel,
    bytes_of,
    check_weights,
    load_file_safely,
    read_latent,
)
from core.models.class_folding import fold_condition
from core.models.conditions import ALL_FIELDS, METADATA, Condition, Vocabulary, width_of
from core.models.devices import enough_memory
from core.paths import CONDITIONED_FILE

__all__ = ["CONDITIONED_FILE", "CONDITIONED_FORMAT", "Guided", "load_conditioned", "read_conditioned"]

CONDITIONED_FORMAT: Final = "isicgui.conditioned-unet/1"
_NEUTRAL: Final = 1.0


class Guided:
    """A model under a condition and without one, drawn apart (Ho and Salimans 2022, arXiv 2207.12598).

    It answers as ``core.generation.denoising.denoise`` asks: ``without + guidance * (under - without)``.
    """

    def __init__(self, under: Any, without: Any, guidance: float) -> None:
        self._under, self._without, self._guidance = under, without, guidance
        self.config, self.dtype = under.config, under.dtype

    def each(self, form: Callable[[Any], Any]) -> Guided:
        """The same with both models in another form."""
        return Guided(form(self._under), form(self._without), self._guidance)

    def __call__(self, noisy: torch.Tensor, timestep: int, return_dict: bool = False) -> tuple[torch.Tensor]:
        """Predict for (B, C, S, S); ``return_dict`` must be false."""
        under = self._under(noisy, timestep, return_dict=return_dict)[0].float()
        without = self._without(noisy, timestep, return_dict=return_dict)[0].float()
        return (torch.lerp(without, under, self._guidance),)


def load_conditioned(
    path: Path, condition: Condition, guidance: float, device: torch.device, precision: str
) -> LoadedModel:
    """Load a metadata-conditioned model as one that generates images under ``condition``.

    Args:
        path: the checkpoint file.
        condition: what the images are to show.
        guidance: 1 is the condition as the model learned it, 0 is no condition, more than 1 exaggerates it.
        device: where the model is to run.
        precision: as in a job, resolved.

    Raises:
        ArgumentError: the model does not know a field of the condition.
        CheckpointError: the file is missing, damaged or another kind of model.
        JobFailedError: memory does not suffice.
    """
    content = _content(path)
    loaded = _under(path, content, condition).load(device, precision, sha256_of(path))
    if guidance == _NEUTRAL:
        return loaded
    without = _under(path, content, Condition()).build(device, precision)
    model: Any = Guided(loaded.model, without, guidance)
    return replace(loaded, model=model, bytes=loaded.bytes + bytes_of(without))


def read_conditioned(path: Path, condition: Condition | None = None) -> Checkpoint:
    """Read and check such a file as a model under ``condition``; by default, nothing is known.

    Raises:
        ArgumentError: the model does not know a field of the condition.
        CheckpointError: the file is missing, damaged or another kind of model.
        JobFailedError: memory does not suffice.
    """
    return _under(path, _content(path), condition or Condition())


def vocabulary_of(content: Mapping[str, Any]) -> Vocabulary:
    """The fields that a network knows, and their values, as its file gives them.

    Raises:
        CheckpointError: this version does not know a field or value.
    """
    if content.get("format") != LATENT_FORMAT:
        return METADATA
    given = content.get("conditions")
    known = isinstance(given, Mapping) and all(
        name in ALL_FIELDS and isinstance(values, (list, tuple)) and tuple(values) == ALL_FIELDS[name]
        for name, values in given.items()
    )
    if not given or not known:
        raise CheckpointError(f"The model's conditions {given!r} are not the fields and values of this version.")
    return {name: tuple(values) for name, values in given.items()}


def _content(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(
            f"There is no checkpoint {path}; train one with --condition metadata, or name another checkpoints folder."
        )
    content = load_file_safely(path)
    forms = (CONDITIONED_FORMAT, LATENT_FORMAT)
    if not isinstance(content, Mapping) or content.get("format") not in forms:
        raise CheckpointError(f"{path} is not a metadata-conditioned model ({' or '.join(forms)}).")
    return content


def _under(path: Path, content: Mapping[str, Any], condition: Condition) -> Checkpoint:
    vocabulary = vocabulary_of(content)
    condition.vector(vocabulary)  # refuses an unknown field before the weights are read
    try:
        with enough_memory("cpu", f"the checkpoint {path.name}"):
            state_dict, config = fold_condition(content["state_dict"], content["config"], condition, vocabulary)
        scheduler, provenance = dict(content["scheduler"]), dict(content["provenance"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is damaged, or its condition has not the {width_of(vocabulary)} numbers of this version ({error})."
        ) from error
    if content["format"] == LATENT_FORMAT:
        return read_latent(path, {**content, "config": config, "state_dict": state_dict})
    check_weights(path, config, state_dict)
    return Checkpoint(path, config, scheduler, state_dict, provenance, CONDITIONED_FORMAT)
