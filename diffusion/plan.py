"""From the options of ``train`` to the runs that they ask for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from core.classes import CLASSES
from core.errors import ArgumentError
from diffusion.architectures import check_final_size, grows_to
from diffusion.config import PRESETS, Stage, TrainingConfig
from diffusion.data import DataError, Found, LabelledImage, of_classes

_STAGE_OPTIONS: Final = (
    "size",
    "half_size",
    "steps",
    "batch_size",
    "learning_rate",
    "architecture",
    "patience",
    "warm_up",
)
_PLAIN_OPTIONS: Final = (
    "seed",
    "ema_decay",
    "accumulate",
    "compile",
    "gradient_checkpointing",
    "save_every",
    "validate_every",
    "grid_every",
)
_SMALLER_FIRST: Final = 0.7  # share of the steps of a growing network that are taken at half the size


@dataclass(frozen=True)
class Run:
    """One network to train.

    Attributes:
        folder: of the run, within the output folder; empty for the output folder itself.
        config: its settings.
        images: what it is trained on.
        classes: class codes that it will make; empty for metadata.
        is_demo_set: whether its result is the demonstration set.
    """

    folder: str
    config: TrainingConfig
    images: list[LabelledImage]
    classes: list[str]
    is_demo_set: bool = False


def plan(options: argparse.Namespace, found: Found, precision: str) -> list[Run]:
    """The runs that the options ask for.

    Args:
        options: of ``python -m diffusion train``; what was not given is absent.
        found: the images of the data folder.
        precision: resolved for the device.

    Raises:
        ArgumentError: options that contradict each other, an unknown class, or too few images.
    """
    if "preset" in options:
        return [_preset_run(options, found, precision)]
    if getattr(options, "condition", None) == "metadata":
        _refuse_without_metadata(found)
        return [Run("", configure(options, "metadata", precision), found.images, [])]
    classes = parse_classes(getattr(options, "classes", "ALL"))
    if getattr(options, "conditional", False):
        groups = of_classes(found, classes)
        images = [image for group in groups.values() for image in group]
        return [Run("", configure(options, "class", precision), images, list(groups))]
    config = configure(options, "none", precision)
    return [Run(name, config, images, [name]) for name, images in of_classes(found, classes).items()]


def configure(options: argparse.Namespace, conditioning: str, precision: str) -> TrainingConfig:
    """The settings of a run of one network, from the options that were given and the defaults.

    Raises:
        ArgumentError: an architecture or size that is not to be had.
    """
    given = vars(options)
    metadata = conditioning == "metadata"
    architecture = given.get("architecture", "demo" if metadata else "default")
    size = given.get("size", 256 if metadata else 128)
    check_final_size(architecture, size)
    rate, batch, steps = given.get("learning_rate", 1e-4), given.get("batch_size", 16), given.get("steps", 50_000)
    last = Stage(size, batch, steps, rate, rate / 100)
    stages: tuple[Stage, ...] = (last,)
    share = given.get("half_size", _SMALLER_FIRST)
    if not 0 <= share < 1:
        raise ArgumentError(f"The share of steps at half the size, {share}, is not a number from 0 to below 1.")
    if grows_to(architecture, size) and (first := min(round(steps * share), steps - 1)):
        stages = (Stage(size // 2, batch, first, rate, rate / 2), replace(last, steps=steps - first))
    patience = given.get("patience", 15)
    return TrainingConfig(
        stages=stages,
        architecture=architecture,
        conditioning=conditioning,
        prediction_type=given.get("prediction", "epsilon"),
        warm_up=given.get("warm_up", max(1, min(500, steps // 10))),
        precision=precision,
        jitter=given.get("jitter", True),
        patience=patience or None,
        **{"save_every": 500, "validate_every": 500, "grid_every": 2000, "ema_decay": 0.9995, **_plain(given)},
    )


def parse_classes(text: str) -> list[str] | None:
    """Read ``MEL,NV``; None for ``ALL``.

    Raises:
        ArgumentError: an unknown class, or one named twice.
    """
    names = [part.strip().upper() for part in text.split(",")]
    if names == ["ALL"]:
        return None
    for name in names:
        if name not in CLASSES:
            raise ArgumentError(f"There is no class {name!r}; choose from {', '.join(CLASSES)} or ALL.")
        if names.count(name) > 1:
            raise ArgumentError(f"{name} is named twice in {text!r}; name each class once.")
    return names


def _preset_run(options: argparse.Namespace, found: Found, precision: str) -> Run:
    foreign = [name for name in _STAGE_OPTIONS if name in options]
    if foreign:
        raise ArgumentError(
            f"--{foreign[0].replace('_', '-')} cannot be changed in the preset {options.preset}, which has "
            "stages of its own; leave it out, or train with --conditional."
        )
    config = replace(PRESETS[options.preset], precision=precision, **_plain(vars(options)))
    if "prediction" in options:
        config = replace(config, prediction_type=options.prediction)
    groups = of_classes(found, None)
    images = [image for image in found.images if image.class_name in groups]  # in the order of the table
    return Run("", config, images, list(groups), is_demo_set=True)


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in _PLAIN_OPTIONS if name in given}


def _refuse_without_metadata(found: Found) -> None:
    known = [image for image in found.images if image.condition.sex or image.condition.age or image.condition.site]
    if len(known) < 10:
        raise DataError(
            f"{found.folder} tells sex, age or site of {len(known)} images; training on metadata needs a table with "
            "them, as HAM10000_metadata.csv or an export of the ISIC archive."
        )


def folder_of(output: Path, run: Run) -> Path:
    """Where a run keeps its state and curves."""
    return output / run.folder if run.folder else output
