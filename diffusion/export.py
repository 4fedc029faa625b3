"""From a training state to the files that the program uses, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.classes import CLASSES
from core.download.manifest import MANIFEST, Entry, changing_manifest
from core.errors import ArgumentError, JobFailedError
from core.io.atomic_files import sha256_of, write_whole
from core.io.folder_lock import taking_turns
from core.io.json_text import parse_json
from core.models.condition_embedding import build_unet
from core.output.color_adjustment import measure
from diffusion.cache import load_pixels
from diffusion.config import Stage, TrainingConfig
from diffusion.data import LabelledImage, split_by_lesion
from diffusion.ema import ExponentialMovingAverage
from diffusion.learner import fresh_optimizer
from diffusion.state import STATE_FILE, write_state
from diffusion.weights import Weights, read_weights, write_checkpoints, write_demo_set

_SOURCE = "trained here"


def export(source: Path, folder: Path, classes: Sequence[str] | None = None, as_demo_set: bool = False) -> list[Path]:
    """Write a state's averaged weights as checkpoints of the program.

    Args:
        source: a training state.
        folder: the checkpoints folder, or where the demonstration set goes.
        classes: class codes; needed for a network of one class that does not say which, else all that it knows.
        as_demo_set: one fp16 file of all classes, as the bundled set is.

    Returns:
        The files written.

    Raises:
        ArgumentError: nobody says which class the network makes.
        CheckpointError: the file cannot be used.
        JobFailedError: the folder cannot be written.
    """
    weights = read_weights(source)
    if as_demo_set:
        write_demo_set(weights, folder)
        return sorted(folder.iterdir())
    written = write_checkpoints(weights, folder, list(classes or classes_of(weights, source)))
    list_in_manifest(folder, written)
    return written


def classes_of(weights: Weights, source: Path) -> list[str]:
    """The classes that a network makes, as it says itself.

    Raises:
        ArgumentError: it does not say.
    """
    if weights.conditioning == "metadata":
        return []
    known = list(weights.provenance.get("classes", CLASSES if weights.conditioning == "class" else []))
    if not known:
        raise ArgumentError(f"{source} does not say which class it makes; name it with --classes.")
    return known


def state_from(source: Path, file: Path) -> Path:
    """The way back: a training state at step 0 that begins with a checkpoint's weights, to go on from with --resume.

    Returns:
        The file written: ``file``, or ``state.pt`` in it where it is a folder.

    Raises:
        CheckpointError: the source cannot be used.
        JobFailedError: the state cannot be written.
    """
    weights = read_weights(source)
    model = build_unet(weights.config)
    model.load_state_dict({name: tensor.float() for name, tensor in weights.state_dict.items()})
    config = TrainingConfig(
        stages=(Stage(int(weights.config["sample_size"]), 16, 50_000, 1e-4, 1e-6),),
        architecture="default",
        conditioning=weights.conditioning,
        prediction_type=weights.scheduler.get("prediction_type", "epsilon"),
    )
    target = file if file.suffix == ".pt" else file / STATE_FILE
    state = {
        "step": 0,
        "training_config": asdict(config),
        "config": weights.config,
        "scheduler": {**weights.scheduler, "prediction_type": config.prediction_type},
        "model": model.state_dict(),
        "average": ExponentialMovingAverage(model, config.ema_decay).state_dict(),
        "optimizer": fresh_optimizer(model, config).state_dict(),
        "data": {"started_from": source.name, **_origin(weights)},
    }
    write_state(target, state)
    return target


def _origin(weights: Weights) -> dict[str, Any]:
    """What the provenance says of the images: their description, classes and licence."""
    known: dict[str, Any] = {
        key: weights.provenance[key] for key in ("data", "classes", "licence") if key in weights.provenance
    }
    if "class" in weights.provenance:
        known["classes"] = [weights.provenance["class"]]
    return known


def write_color_statistics(images: Sequence[LabelledImage], file: Path, size: int, cache: Path) -> dict[str, Any]:
    """Measure the training part of real images, class by class, and write or complete ``color_statistics.json``.

    Returns:
        What was written, ``{class: {"rgb": {"mean": [...], "std": [...]}}}``.

    Raises:
        ArgumentError: images of this size have no pixels.
        JobFailedError: the file or the cache cannot be written.
    """
    if size < 1:
        raise ArgumentError(f"The size {size} is not a whole number from 1 up.")
    training, _ = split_by_lesion(images)
    table: dict[str, Any] = {}
    for class_name in CLASSES:
        of_class = [image for image in training if image.class_name == class_name]
        if of_class:
            table[class_name] = {"rgb": measure(load_pixels(of_class, size, cache).array).to_json()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with taking_turns(file.parent):  # other classes may be entered by a training beside this one
            before = parse_json(file.read_text(encoding="utf-8")) if file.is_file() else {}
            if not isinstance(before, dict):
                raise ValueError("it holds no table of classes")
            merged = {name: entry for name, entry in {**before, **table}.items() if name in CLASSES}
            write_whole(file, json.dumps(merged, indent=2).encode() + b"\n")
    except (OSError, ValueError) as error:
        raise JobFailedError(f"{file} cannot be written ({error}); move it away or name another place.") from error
    return table


def list_in_manifest(folder: Path, files: Sequence[Path]) -> None:
    """Enter finished files in the folder's manifest: name, bytes, sha256, and that they were trained here.

    Raises:
        JobFailedError: the manifest cannot be written.
    """
    try:
        enter_in_manifest(folder, files)
    except OSError as error:
        raise JobFailedError(
            f"{folder / MANIFEST} cannot be written ({error.strerror or error}), and the files beside it are whole; "
            "close it where it is open, or make room."
        ) from error


def enter_in_manifest(folder: Path, files: Sequence[Path]) -> None:
    """As ``list_in_manifest``, for those who can go on without.

    Raises:
        OSError: the manifest cannot be written.
    """
    entries = {file.name: Entry(file.name, file.stat().st_size, sha256_of(file), _SOURCE) for file in files}
    with changing_manifest(folder) as manifest:
        manifest.files |= entries
