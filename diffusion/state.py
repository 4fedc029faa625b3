"""The whole state of a training run in one file, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeGuard

import torch

from core.errors import CheckpointError, JobFailedError
from core.io.atomic_files import whole_file
from core.models.checkpoint_checks import check_config, check_scheduler, check_tensors
from core.models.checkpoints import load_file_safely

STATE_FORMAT: Final = "isicgui.training/1"
STATE_FILE: Final = "state.pt"


def write_state(file: Path, state: Mapping[str, Any]) -> None:
    """Write or replace a state (keys: see ``diffusion.learner.Learner.state``).

    Raises:
        JobFailedError: the disk is full or the folder cannot be written; the state that was there is whole.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file, replace=True) as stream:
            torch.save({"format": STATE_FORMAT, **state}, stream)
    except (OSError, RuntimeError) as error:  # torch turns an error of the stream into a RuntimeError
        if isinstance(error, RuntimeError) and not isinstance(_cause(error), OSError) and "write" not in str(error):
            raise
        kept, again = "there is no state before it", "begin again"
        if file.is_file():
            kept, again = f"the state before it is whole: {file}", "go on with --resume"
        raise JobFailedError(
            f"The state of step {state.get('step')} cannot be written to {file.parent} "
            f"({_reason(error)}); {kept}. Make room, then {again}."
        ) from error


def read_state(file: Path) -> dict[str, Any]:
    """Read a state; nothing in it is executed.

    Raises:
        CheckpointError: not there, damaged, or not a training state.
        JobFailedError: memory does not suffice.
    """
    state = load_file_safely(file, "training state", mapped=False)
    return checked_state(file, state)


def checked_state(file: Path, content: object) -> dict[str, Any]:
    """The content of a file, if it is a training state whose network and progress can be used.

    Raises:
        CheckpointError: it is none, or a part is missing or of another kind.
    """
    if not is_state(content):
        raise CheckpointError(f"{file} is not a training state ({STATE_FORMAT}).")
    state: dict[str, Any] = dict(content)
    for name in ("config", "scheduler", "training_config", "average"):
        if not isinstance(state.get(name), Mapping):
            raise CheckpointError(f"{file} is a damaged training state: it has no {name!r}.")
    step, shadow = state.get("step"), state["average"].get("shadow")
    if type(step) is not int or not isinstance(shadow, Mapping):
        raise CheckpointError(f"{file} is a damaged training state: it has no step or no averaged weights.")
    check_config(file, state["config"])
    check_scheduler(file, state["scheduler"])
    check_tensors(file, shadow)
    _check_progress(file, state)
    return state


def _check_progress(file: Path, state: Mapping[str, Any]) -> None:
    stages = state["training_config"].get("stages")
    each = stages if isinstance(stages, (list, tuple)) else ()
    if not each or not all(isinstance(stage, Mapping) and type(stage.get("steps")) is int for stage in each):
        raise CheckpointError(f"{file} is a damaged training state: it has no stages of so many steps.")
    if "stopping" in state:
        stopping = state["stopping"]
        if not isinstance(stopping, Mapping) or not isinstance(stopping.get("best"), float):
            raise CheckpointError(f"{file} is a damaged training state: it has no best loss.")


def is_state(content: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether what ``torch.load`` gave is a training state."""
    return isinstance(content, Mapping) and content.get("format") == STATE_FORMAT


def conditioning_of(state: Mapping[str, Any]) -> str:
    """``none``, ``class``, ``metadata`` or ``all``, as the network in the state takes it."""
    config = state["config"]
    if config.get("class_embed_type"):
        return "all" if state.get("conditions") else "metadata"
    return "class" if config.get("num_class_embeds") else "none"


def _cause(error: BaseException) -> BaseException | None:
    return error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    for one in (error, _cause(error)):
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
    return str(error).partition("\n")[0]
