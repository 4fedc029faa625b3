"""From the options of ``train`` to the runs that they ask for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from core.classes import CLASSES
from core.errors import ArgumentError
from core.models.autoencoders import AutoencoderWeights
from diffusion.architectures import check_final_size, grows_to
from diffusion.autoencoder.files import load_autoencoder
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
LATENT_GUIDANCE: Final = 0.5  # as classifier-free guidance of 2
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
        autoencoder: whose latents the network denoises; None for images.
    """

    folder: str
    config: TrainingConfig
    images: list[LabelledImage]
    classes: list[str]
    is_demo_set: bool = False
    autoencoder: AutoencoderWeights | None = None


def plan(options: argparse.Namespace, found: Found, precision: str) -> list[Run]:
    """The runs that the options ask for.

    Args:
        options: of ``python -m diffusion train``; what was not given is absent.
        found: the images of the data folder.
        precision: resolved for the device.

    Raises:
        ArgumentError: options that contradict each other, an unknown class, or too few images.
    """
    if getattr(options, "latent", None):
        return [_latent_run(options, found, precision)]
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
        ArgumentError: an architecture or size that does not exist.
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


def _latent_run(options: argparse.Namespace, found: Found, precision: str) -> Run:
    """One network of class, metadata and skin tone on the latents of an autoencoder.

    Raises:
        ArgumentError: options that do not go with ``--latent``.
        CheckpointError: the autoencoder cannot be used.
    """
    given = vars(options)
    foreign = [name for name in ("preset", "conditional", "condition", "architecture", "half_size") if given.get(name)]
    if foreign:
        option = foreign[0].replace("_", "-")
        raise ArgumentError(f"--latent trains one network of all conditions; leave out --{option}.")
    autoencoder, _ = load_autoencoder(options.latent)
    groups = of_classes(found, parse_classes(given.get("classes", "ALL")))
    images = [image for image in found.images if image.class_name in groups]
    steps, rate = given.get("steps", 20_000), given.get("learning_rate", 3e-4)
    guided = min(given.get("guided_steps", steps // 5), steps - 1)
    size, batch = given.get("size", 256), given.get("batch_size", 16)
    stages: tuple[Stage, ...] = (Stage(size, batch, steps - guided, rate, rate / 10),)
    if guided:
        stages += (Stage(size, batch, guided, rate / 5, rate / 100, given.get("guidance", LATENT_GUIDANCE)),)
    config = TrainingConfig(
        stages=stages,
        architecture="latent",
        conditioning="all",
        prediction_type=given.get("prediction", "v_prediction"),
        warm_up=given.get("warm_up", 500),
        precision=precision,
        latent_channels=autoencoder.latent_channels,
        latent_ratio=autoencoder.ratio,
        alignment=given.get("alignment", 0.5),
        patience=given.get("patience") or None,
        **{"save_every": 500, "validate_every": 1000, "grid_every": 2000, "ema_decay": 0.9995, **_plain(given)},
    )
    config.unet_at(0)  # refuses a size that the network cannot have
    return Run("", config, images, list(groups), autoencoder=autoencoder)


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
