"""Checkpoints of a metadata-conditioned model, used under one condition at a time, with classifier-free guidance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from core.errors import CheckpointError
from core.io.atomic_files import sha256_of
from core.models.checkpoints import Checkpoint, LoadedModel, bytes_of, check_weights, load_file_safely
from core.models.class_folding import fold_condition
from core.models.conditions import NUMBERS, Condition
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
        """Predict for (B, 3, S, S); ``return_dict`` must be false."""
        under = self._under(noisy, timestep, return_dict=return_dict)[0].float()
        without = self._without(noisy, timestep, return_dict=return_dict)[0].float()
        return (torch.lerp(without, under, self._guidance),)


def load_conditioned(
    path: Path, condition: Condition, guidance: float, device: torch.device, precision: str
) -> LoadedModel:
    """A metadata-conditioned model as one that makes images under ``condition``.

    Args:
        path: the checkpoint file.
        condition: what the images are to show.
        guidance: 1 is the condition as it was learnt, 0 is none at all, more exaggerates it.
        device: where it is to run.
        precision: as in a job, resolved.

    Raises:
        CheckpointError: the file is missing, damaged or another kind of model.
        JobFailedError: memory does not suffice.
    """
    content = _content(path)
    checkpoint = _under(path, content, condition)
    model: Any = checkpoint.build(device, precision)
    size = bytes_of(model)
    if guidance != _NEUTRAL:
        model = Guided(model, _under(path, content, Condition()).build(device, precision), guidance)
    size = size if guidance == _NEUTRAL else 2 * size
    return LoadedModel(model, checkpoint.without_weights(), sha256_of(path), size)


def read_conditioned(path: Path) -> Checkpoint:
    """Read and check such a file; what is returned knows of no condition.

    Raises:
        CheckpointError: the file is missing, damaged or another kind of model.
        JobFailedError: memory does not suffice.
    """
    return _under(path, _content(path), Condition())


def _content(path: Path) -> Any:
    if not path.is_file():
        raise CheckpointError(
            f"There is no checkpoint {path}; train one with --condition metadata, or name another checkpoints folder."
        )
    return load_file_safely(path)


def _under(path: Path, content: Any, condition: Condition) -> Checkpoint:
    if not isinstance(content, Mapping) or content.get("format") != CONDITIONED_FORMAT:
        raise CheckpointError(f"{path} is not a metadata-conditioned model ({CONDITIONED_FORMAT}).")
    try:
        with enough_memory("cpu", f"the checkpoint {path.name}"):
            state_dict, config = fold_condition(content["state_dict"], content["config"], condition)
        scheduler, provenance = dict(content["scheduler"]), dict(content["provenance"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is damaged, or its condition has not the {len(NUMBERS)} numbers of this version ({error})."
        ) from error
    check_weights(path, config, state_dict)
    return Checkpoint(path, config, scheduler, state_dict, provenance, CONDITIONED_FORMAT)
