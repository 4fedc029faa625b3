"""Everything that decides the outcome of a training run, apart from the images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from core.errors import ArgumentError
from diffusion.architectures import latent_config, unet_config


@dataclass(frozen=True)
class Stage:
    """One image size of a progressive run: most of the layout is learnt where a step is cheap."""

    size: int
    batch_size: int
    steps: int
    learning_rate: float
    final_learning_rate: float
    guidance: float = 0.0

    def __post_init__(self) -> None:
        _check_whole("size", self.size, 1)
        _check_whole("batch size", self.batch_size, 1)
        _check_whole("number of steps", self.steps, 1)
        _check_within("learning rate", self.learning_rate, 0, 1)


@dataclass(frozen=True)
class TrainingConfig:
    """The settings of a run.

    Raises:
        ArgumentError: a number out of its range; the message names it.

    Attributes:
        stages: one, or several of rising size.
        architecture: a name of ``diffusion.architectures``.
        conditioning: ``none``, ``class``, ``metadata`` or ``all``.
        prediction_type: ``epsilon`` or ``v_prediction``.
        seed: of the first weights and of every batch.
        warm_up: steps over which the learning rate of a stage rises.
        clip_norm: largest norm of the gradient.
        precision: ``fp32``, ``bf16`` or ``fp16``, as ``core.models.devices.resolve_precision`` gives it.
        accumulate: parts that a batch is worked through in; less memory, the same result up to rounding.
        jitter: vary brightness, contrast and saturation a little.
        save_every, validate_every, grid_every: steps between whole states, validations and grids of images; no grids
            for zero.
        latent_channels, latent_ratio: of the autoencoder whose latents the network denoises; 0 and 1 for images.
        alignment: weight of ``diffusion.alignment``; for latents only.
        patience: validations without progress before the run ends; None to go on to the last step.
        min_delta: the fall of the validation loss that counts as progress.
    """

    stages: tuple[Stage, ...]
    architecture: str = "demo"
    conditioning: str = "class"
    prediction_type: str = "v_prediction"
    seed: int = 0
    warm_up: int = 200
    ema_decay: float = 0.999
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    precision: str = "bf16"
    accumulate: int = 1
    jitter: bool = False
    compile: bool = False
    gradient_checkpointing: bool = False
    save_every: int = 250
    validate_every: int = 250
    grid_every: int = 0
    latent_channels: int = 0
    latent_ratio: int = 1
    alignment: float = 0.0
    patience: int | None = None
    min_delta: float = 1e-4

    def __post_init__(self) -> None:
        _check_whole("seed", self.seed, 0)
        _check_within("EMA decay", self.ema_decay, 0, 1)
        for name in ("warm_up", "accumulate", "save_every", "validate_every"):
            _check_whole(name.replace("_", "-"), getattr(self, name), 1)
        _check_whole("grid-every", self.grid_every, 0)
        if self.patience is not None:
            _check_whole("patience", self.patience, 1)

    def total_steps(self) -> int:
        """Steps over all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[int, Stage]:
        """The stage of a step, and the step that it begins with.

        Raises:
            IndexError: the step is past the last stage.
        """
        first = 0
        for stage in self.stages:
            if step < first + stage.steps:
                return first, stage
            first += stage.steps
        raise IndexError(f"step {step} is past the last stage")

    def unet_at(self, step: int) -> dict[str, object]:
        """The configuration of the network that a step trains."""
        _, stage = self.stage_at(min(step, self.total_steps() - 1))
        if self.latent_channels:
            return latent_config(self.latent_channels, stage.size // self.latent_ratio, self.conditioning)
        return unet_config(self.architecture, stage.size, self.conditioning)


def learning_rate(stage: Stage, step: int, warm_up: int) -> float:
    """Linear warm-up, then a half cosine from the stage's first to its last learning rate."""
    progress = min(1.0, step / stage.steps)
    low, high = stage.final_learning_rate, stage.learning_rate
    return min(1.0, (step + 1) / max(1, warm_up)) * (low + (high - low) * 0.5 * (1 + math.cos(math.pi * progress)))


def _check_whole(what: str, value: int, least: int) -> None:
    if not least <= value < 2**31:
        raise ArgumentError(f"The {what} {value} is not a whole number from {least} up.")


def _check_within(what: str, value: float, low: float, high: float) -> None:
    if not low < value < high:
        raise ArgumentError(f"The {what} {value} does not lie between {low} and {high}.")


PRESETS: Final[dict[str, TrainingConfig]] = {
    "demo": TrainingConfig(
        stages=(
            # size, batch, steps, first and last learning rate, guidance
            Stage(32, 64, 1500, 5e-4, 5e-4),
            Stage(64, 32, 6000, 4e-4, 1.5e-4),
            Stage(64, 32, 1000, 2e-4, 1e-4, 0.6),
            Stage(128, 8, 4000, 4e-4, 2e-5, 0.6),
        )
    ),
    "demo-more": TrainingConfig(
        stages=(Stage(128, 8, 1200, 4e-4, 2e-4), Stage(128, 8, 800, 2e-4, 1e-5, 0.6)),
        seed=2,  # other batches than those that the weights to begin with have seen
        ema_decay=0.997,
    ),
}
"""Named runs: "demo" makes the bundled demonstration set, "demo-more" trains one further (``--start core/demo``)."""
