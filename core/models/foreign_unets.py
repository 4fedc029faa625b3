"""UNets of other programs that cannot generate here: recognised by their weights, and refused with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from core.errors import CheckpointError

_METADATA_LAYER: Final = "meta_fc.weight"
FILES_OF_MELANOMA_FAIR_XAI: Final = ("best_model.pth", "diffusion_model_epoch_*.pth")


def refuse_foreign_unet(path: Path, names: Iterable[str]) -> None:
    """Refuse the diffusion model of melanoma-fair-xai, whose weights begin with ``meta_fc``.

    Raises:
        CheckpointError: says what the model is, why it is not used, and what to train in its place.
    """
    if _METADATA_LAYER in names:
        raise CheckpointError(
            f"{path} is the metadata-conditioned UNet of melanoma-fair-xai (meta_fc), which is not used here: it "
            "computes every layer at 256 pixels, so one image of 999 steps takes hours on a CPU; train a model of "
            "the same conditions with python -m diffusion train --condition metadata."
        )


def metadata_unets_in(folder: Path) -> list[Path]:
    """Files in a folder that have the names of melanoma-fair-xai's diffusion models."""
    return sorted(file for pattern in FILES_OF_MELANOMA_FAIR_XAI for file in folder.glob(pattern))
