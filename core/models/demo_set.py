"""The bundled demonstration set: one small class-conditional model, unpacked as seven checkpoints."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any, Final

import torch
from filelock import Timeout
from safetensors.torch import load_file

from core.classes import CLASSES
from core.errors import CheckpointError
from core.io.atomic_files import write_whole
from core.io.folder_lock import LOCK_NAME, taking_turns
from core.models.checkpoints import UNET_FORMAT, has_any_checkpoint
from core.models.class_folding import fold_class
from core.paths import CHECKPOINTS, CLASSIFIER_FILE, DEMO_SET, STATISTICS_FILE, checkpoint_file

WEIGHTS_FILE: Final = "unet.safetensors"
DESCRIPTION_FILE: Final = "unet.json"


def unpack_demo_set(folder: Path) -> list[Path]:
    """Write the seven ``unet_<CLASS>_best.pth`` and what is bundled with them; files that are there stay as they are.

    Of several processes that unpack into one folder at once, each file is written by one.

    Returns:
        The files that were written.

    Raises:
        CheckpointError: the folder cannot be written, or another process does not let it go.
    """
    with contextlib.suppress(OSError):  # told below
        if not _missing(folder):
            return []  # a folder that is whole may be read-only
    description = json.loads((DEMO_SET / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    weights = load_file(DEMO_SET / WEIGHTS_FILE)
    indices = {checkpoint_file(folder, class_name): index for index, class_name in enumerate(CLASSES)}
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with taking_turns(folder):
            for file in _missing(folder):  # again: another process may have written them meanwhile
                if file in indices:
                    write_whole(file, _class_file(weights, description, indices[file]))
                else:
                    write_whole(file, (DEMO_SET / file.name).read_bytes())
                written.append(file)
    except Timeout as error:
        text = f"{folder} is in use by another process that does not let it go; try again later."
        raise CheckpointError(text) from error
    except OSError as error:
        raise CheckpointError(
            f"The demonstration weights cannot be unpacked into {folder} ({error.strerror}); "
            "name a checkpoints folder that can be written."
        ) from error
    return written


def _missing(folder: Path) -> list[Path]:
    """What a folder lacks of the set."""
    files = [*(checkpoint_file(folder, name) for name in CLASSES), *map(folder.joinpath, bundled_companions())]
    return [file for file in files if not file.exists()]


def _wait_for_who_unpacks(folder: Path) -> None:
    # Whatever keeps the lock from being had, the models that are there can be used.
    with contextlib.suppress(OSError):
        if _missing(folder) and (folder / LOCK_NAME).exists():
            with taking_turns(folder):
                return


def bundled_companions() -> list[str]:
    """Files of the set that are copied as they are: the colour statistics, and the classifier where it is bundled."""
    return [name for name in (STATISTICS_FILE, CLASSIFIER_FILE) if (DEMO_SET / name).is_file()]


def unpack_where_empty(folder: Path) -> list[Path]:
    """Unpack into a checkpoints folder that has no model of any class; returns the files written.

    Where another process is doing so, it is waited for: the class that is wanted may be its last one.

    Raises:
        CheckpointError: the folder is not there (unless it is the default one), or cannot be written.
    """
    if has_any_checkpoint(folder):
        _wait_for_who_unpacks(folder)
        return []
    if not folder.is_dir() and folder.resolve() != CHECKPOINTS:
        # A mistyped path must not silently turn into a folder of demonstration weights.
        raise CheckpointError(
            f"There is no checkpoints folder {folder}; name one that holds unet_<CLASS>_best.pth, or make it "
            f"with the demonstration weights: python download_models.py --demo --dest {folder}"
        )
    return unpack_demo_set(folder)


def _class_file(weights: dict[str, torch.Tensor], description: dict[str, Any], index: int) -> bytes:
    state_dict, config = fold_class(weights, description["config"], index)
    content = {
        "format": UNET_FORMAT,
        "config": config,
        "scheduler": description["scheduler"],
        "state_dict": state_dict,
        "provenance": {**description["provenance"], "class": CLASSES[index], "demonstration": True},
    }
    # Saved to memory first: the archive then has the same bytes whatever the file is called.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
