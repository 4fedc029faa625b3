"""The file of a trained autoencoder: what stage two and the evaluation read."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

from core.errors import CheckpointError, JobFailedError
from core.io.atomic_files import write_whole
from core.models.autoencoders import AutoencoderWeights, read_autoencoder
from core.models.checkpoints import load_file_safely

AUTOENCODER_FORMAT: Final = "isicgui.autoencoder/1"
AUTOENCODER_FILE: Final = "autoencoder.pth"


def write_autoencoder(file: Path, weights: AutoencoderWeights, provenance: Mapping[str, Any]) -> None:
    """Write an autoencoder with the statistics of its latents; the file is whole or does not exist.

    Raises:
        JobFailedError: the folder cannot be written or the disk is full.
    """
    buffer = io.BytesIO()
    content = {"format": AUTOENCODER_FORMAT, "autoencoder": weights.to_content(), "provenance": dict(provenance)}
    torch.save(content, buffer)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, buffer.getvalue())
    except OSError as error:
        raise JobFailedError(f"{file} cannot be written ({error.strerror}); make room, or choose --output.") from error


def read_training_state(file: Path) -> dict[str, Any]:
    """Read the state of an autoencoder's training; ``AutoencoderLearner.load`` checks whether it fits.

    Raises:
        CheckpointError: missing, damaged, or the state of another kind of training.
    """
    state = load_file_safely(file, "training state", mapped=False)
    if not isinstance(state, Mapping) or "autoencoder_settings" not in state:
        raise CheckpointError(f"{file} is not the state of an autoencoder's training; name its folder with --output.")
    return dict(state)


def load_autoencoder(file: Path) -> tuple[AutoencoderWeights, dict[str, Any]]:
    """Read an autoencoder file, or the autoencoder of a latent checkpoint; also returns the provenance.

    Raises:
        CheckpointError: the file is missing, damaged or holds no autoencoder.
    """
    content = load_file_safely(file)
    if not isinstance(content, Mapping) or "autoencoder" not in content:
        raise CheckpointError(
            f"{file} holds no autoencoder; name the {AUTOENCODER_FILE} of `python -m diffusion autoencoder train`."
        )
    provenance = content.get("provenance")
    return read_autoencoder(file, content["autoencoder"]), dict(provenance) if isinstance(provenance, Mapping) else {}
