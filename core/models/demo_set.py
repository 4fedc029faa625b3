"""The bundled demonstration set: one small class-conditional model, unpacked as seven checkpoints."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from filelock import Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file

from core.classes import CLASSES
from core.errors import CheckpointError
from core.io.atomic_files import write_whole
from core.io.folder_lock import LOCK_NAME, taking_turns
from core.io.json_text import parse_json
from core.io.leftovers import clear_parts
from core.models.checkpoints import LATENT_FORMAT, UNET_FORMAT, has_any_checkpoint
from core.models.class_folding import fold_class, fold_condition
from core.models.conditions import Condition
from core.paths import CHECKPOINTS, CLASSIFIER_FILE, CONDITIONED_FILE, DEMO_SET, STATISTICS_FILE, best_checkpoint_file

WEIGHTS_FILE: Final = "unet.safetensors"
DESCRIPTION_FILE: Final = "unet.json"
UNFINISHED: Final = ".isicgui.unpacking"
"""In a checkpoints folder while the set is unpacked into it, and afterwards if that was cut short."""
AUTOENCODER_PREFIX: Final = "autoencoder."
"""Of the names of an autoencoder's weights in the bundled file."""
_log = logging.getLogger(__name__)


def unpack_demo_set(folder: Path) -> list[Path]:
    """Write the seven ``unet_<CLASS>_best.pth`` and what is bundled with them; existing files stay as they are.

    Of several processes that unpack into one folder at once, each file is written by one.

    Returns:
        The files that were written.

    Raises:
        CheckpointError: the folder cannot be written, or another process does not let it go.
    """
    with contextlib.suppress(OSError):  # reported below
        if not _missing(folder):
            return []  # a folder that is whole may be read-only
    bundle = read_bundle(DEMO_SET)
    classes: dict[Path, str | None] = {best_checkpoint_file(folder, class_name): class_name for class_name in CLASSES}
    classes[folder / CONDITIONED_FILE] = None
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with taking_turns(folder):
            clear_parts(folder)
            missing = _missing(folder)  # again: another process may have written them meanwhile
            if missing:
                (folder / UNFINISHED).touch()
            for file in missing:
                if file in classes:
                    write_whole(file, _as_bytes(bundle.content(classes[file])))
                else:
                    write_whole(file, (DEMO_SET / file.name).read_bytes())
                written.append(file)
            (folder / UNFINISHED).unlink(missing_ok=True)
    except Timeout as error:
        text = f"{folder} is in use by another process that does not let it go; try again later."
        raise CheckpointError(text) from error
    except OSError as error:
        raise CheckpointError(
            f"The demonstration weights cannot be unpacked into {folder} ({error.strerror}); "
            "name a checkpoints folder that can be written."
        ) from error
    _log.info("Unpacked %d files of the demonstration set into %s", len(written), folder)
    return written


def _missing(folder: Path) -> list[Path]:
    """What a folder lacks of the set."""
    return [file for file in map(folder.joinpath, bundled_names()) if not file.exists()]


def _wait_for_who_unpacks(folder: Path) -> None:
    # Whatever keeps the lock from being had, the models that are there can be used.
    with contextlib.suppress(OSError):
        if _missing(folder) and (folder / LOCK_NAME).exists():
            with taking_turns(folder):
                return


def bundled_names() -> list[str]:
    """Every file that the set unpacks: one model per class, the model of all conditions if it is bundled, and the
    companions."""
    described = json.loads((DEMO_SET / DESCRIPTION_FILE).read_text(encoding="utf-8"))
    conditioned = [CONDITIONED_FILE] if "conditions" in described else []
    return [*(best_checkpoint_file(Path(), name).name for name in CLASSES), *conditioned, *bundled_companions()]


def bundled_companions() -> list[str]:
    """Files of the set that are copied as they are: the colour statistics, and the classifier where it is bundled."""
    return [name for name in (STATISTICS_FILE, CLASSIFIER_FILE) if (DEMO_SET / name).is_file()]


def unpack_where_empty(folder: Path) -> list[Path]:
    """Unpack into a checkpoints folder that has no model of any class; returns the files written.

    Where another process is doing so, it is waited for: the class that is wanted may be its last one. What a process
    began that was killed, or whose disk was full, is completed.

    Raises:
        CheckpointError: the folder is not there (unless it is the default one), or cannot be written.
    """
    if has_any_checkpoint(folder):
        _wait_for_who_unpacks(folder)
        return unpack_demo_set(folder) if (folder / UNFINISHED).exists() else []
    if not folder.is_dir() and folder.resolve() != CHECKPOINTS:
        # A mistyped path must not silently turn into a folder of demonstration weights.
        raise CheckpointError(
            f"There is no checkpoints folder {folder}; name one that holds unet_<CLASS>_best.pth, or make it "
            f"with the demonstration weights: python download_models.py --demo --dest {folder}"
        )
    return unpack_demo_set(folder)


@dataclass(frozen=True)
class Bundle:
    """One network of all classes, as it is bundled: fp16 weights and their description.

    Attributes:
        description: ``config``, ``scheduler`` and ``provenance``; for a latent model also ``conditions`` and
            ``autoencoder``, without its weights.
        unet: weights of the UNet.
        autoencoder: weights of the autoencoder; empty for a model of RGB images.
    """

    description: dict[str, Any]
    unet: dict[str, torch.Tensor]
    autoencoder: dict[str, torch.Tensor]

    def content(self, class_name: str | None = None) -> dict[str, Any]:
        """The content of the checkpoint of a class, or of all conditions."""
        described = self.description
        provenance = {**described["provenance"], "demonstration": True}
        content = {"format": UNET_FORMAT, **self._network(class_name), "scheduler": described["scheduler"]}
        if class_name:
            provenance["class"] = class_name
        else:
            content["conditions"] = described["conditions"]
        if self.autoencoder:
            content["format"] = LATENT_FORMAT
            content["autoencoder"] = {**described["autoencoder"], "state_dict": self.autoencoder}
        return {**content, "provenance": provenance}

    def _network(self, class_name: str | None) -> dict[str, Any]:
        config = self.description["config"]
        if class_name is None:
            return {"state_dict": self.unet, "config": config}
        if "conditions" in self.description:
            vocabulary = {name: tuple(values) for name, values in self.description["conditions"].items()}
            known = Condition(class_name=class_name)
            state_dict, folded = fold_condition(self.unet, config, known, vocabulary)
        else:
            state_dict, folded = fold_class(self.unet, config, CLASSES.index(class_name))
        return {"state_dict": state_dict, "config": folded}


def read_bundle(folder: Path) -> Bundle:
    """Read a demonstration set.

    Raises:
        CheckpointError: the folder holds none, or it is damaged.
    """
    refusal = f"{folder} is not a demonstration set ({DESCRIPTION_FILE} and {WEIGHTS_FILE})."
    try:
        description = parse_json((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS_FILE)
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(refusal) from error
    if not isinstance(description, dict) or not {"config", "scheduler", "provenance"} <= set(description):
        raise CheckpointError(refusal)
    unet = {name: tensor for name, tensor in weights.items() if not name.startswith(AUTOENCODER_PREFIX)}
    rest = {name.removeprefix(AUTOENCODER_PREFIX): weights[name] for name in weights if name not in unet}
    return Bundle(description, unet, rest)


def _as_bytes(content: dict[str, Any]) -> bytes:
    # Saved to memory first: the archive then has the same bytes whatever the file is called.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
