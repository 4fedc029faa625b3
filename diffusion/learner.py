"""A network in training: its weights, their average, the optimiser and the number of the step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from core.errors import ArgumentError
from core.models.architectures import DEFAULT_SCHEDULER, LATENT_RANGE
from core.models.autoencoders import AutoencoderWeights
from core.models.condition_embedding import build_unet
from core.models.devices import DTYPES
from core.models.torchvision_shim import declare_missing_operators
from diffusion.alignment import Alignment
from diffusion.conditioning import CONDITIONINGS
from diffusion.config import TrainingConfig
from diffusion.data import LabelledImage, split_by_lesion
from diffusion.ema import ExponentialMovingAverage
from diffusion.state import STATE_FILE, write_state
from diffusion.stopping import EarlyStopping

declare_missing_operators()
from diffusers import DDPMScheduler  # noqa: E402 - torchvision's schemas must stand before diffusers imports it


@dataclass(frozen=True)
class Places:
    """Where a run keeps its things: its own folder, and the decoded images, which runs share."""

    output: Path
    cache: Path

    @property
    def state(self) -> Path:
        """The whole state of the run."""
        return self.output / STATE_FILE


class Learner:
    """Model, average, optimiser and the number of the step, as the stages of a run change them."""

    def __init__(
        self,
        config: TrainingConfig,
        images: Sequence[LabelledImage],
        places: Places,
        accelerator: Accelerator,
        *,
        publish: Callable[[Learner], None] | None = None,
        tensorboard: bool = False,
        data: dict[str, Any] | None = None,
        autoencoder: AutoencoderWeights | None = None,
    ) -> None:
        """Make a fresh run.

        Args:
            config: everything that decides the outcome.
            images: real images, of training and held-out lesions alike.
            places: where state, curves and decoded images are kept.
            accelerator: of the process; each of several processes takes its share of every batch.
            publish: called on the main process whenever the averaged weights are the best so far.
            tensorboard: write event files as well.
            data: what the images are, for the provenance of the weights.
            autoencoder: encodes the images of a run whose network denoises latents.

        Raises:
            ArgumentError: the batch cannot be shared evenly among processes and accumulation.
        """
        self.config, self.places, self.accelerator = config, places, accelerator
        self.publish, self.tensorboard, self.data = publish, tensorboard, data or {}
        self.autoencoder = autoencoder
        self.training, self.held_out = split_by_lesion(images)
        self.conditioning = CONDITIONINGS[config.conditioning]
        self.device = accelerator.device
        self.layout = best_layout(self.device, config.compile)
        _check_shares(config, accelerator.num_processes)
        self.schedule = {**DEFAULT_SCHEDULER, "prediction_type": config.prediction_type}
        if autoencoder:
            self.schedule["clip_sample_range"] = LATENT_RANGE
        self.scheduler = DDPMScheduler(**self.schedule)
        self.stopping = EarlyStopping(config.patience, config.min_delta)
        self.step = 0
        self.begin_with(dict(config.unet_at(0)))

    def begin_with(self, unet: dict[str, Any], weights: dict[str, torch.Tensor] | None = None) -> None:
        """A fresh average and optimiser around a network of this configuration, with these weights or random ones."""
        self.unet = unet
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            model = build_unet(unet, self.conditioning.vocabulary)
        if weights is not None:
            model.load_state_dict(weights)
        if self.config.gradient_checkpointing:
            model.enable_gradient_checkpointing()
        move: Any = (
            nn.Module.to
        )  # diffusers' own version warns of a list of fp32 modules that is empty for a UNet2DModel
        self.model: Any = move(model, device=self.device, memory_format=self.layout)
        self.average = ExponentialMovingAverage(self.model, self.config.ema_decay)
        self.alignment = Alignment(self.model).to(self.device) if self.config.alignment else None
        self.optimizer = fresh_optimizer(self.model, self.config, self.alignment)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.config.precision == "fp16")

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        steps = self.config.total_steps()
        return self.step >= steps or (self.stopping.exhausted and self.step > steps - self.config.stages[-1].steps)

    def state(self) -> dict[str, Any]:
        """Everything that going on needs. Batches and noise follow from the number of the step alone."""
        return {
            "step": self.step,
            "training_config": asdict(self.config),
            "config": self.unet,
            "scheduler": self.schedule,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "stopping": self.stopping.state_dict(),
            "data": self.data,
            **self._of_latents(),
        }

    def _of_latents(self) -> dict[str, Any]:
        """What a state of a latent run holds besides."""
        known = {name: list(values) for name, values in self.conditioning.vocabulary.items()}
        conditions: dict[str, Any] = {"conditions": known} if self.config.conditioning == "all" else {}
        if self.alignment:
            conditions["alignment"] = self.alignment.state_dict()
        return {**conditions, **({"autoencoder": self.autoencoder.to_content()} if self.autoencoder else {})}

    def save(self) -> None:
        """Write the whole state; the file is either whole or the previous one."""
        if self.accelerator.is_main_process:
            write_state(self.places.state, self.state())

    def load(self, state: dict[str, Any]) -> None:
        """Continue from a state of this network (``diffusion.resume`` checks that it is one)."""
        self.step = int(state["step"])
        self.begin_with(dict(state["config"]), state["model"])
        self.average.load_state_dict(state["average"])
        if self.alignment and "alignment" in state:
            self.alignment.load_state_dict(state["alignment"])
        self.optimizer.load_state_dict(state["optimizer"])
        if state.get("scaler") and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        if "stopping" in state:
            self.stopping.load_state_dict(state["stopping"])

    @contextlib.contextmanager
    def averaged(self) -> Iterator[Any]:
        """The model with the averaged weights, until the block ends."""
        trained = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.shadow)
        try:
            with torch.no_grad(), self.autocast():
                yield self.model
        finally:
            self.model.load_state_dict(trained)

    def autocast(self) -> torch.autocast:
        """The precision of the run."""
        return torch.autocast(self.device.type, DTYPES[self.config.precision], enabled=self.config.precision != "fp32")


def best_layout(device: torch.device, compiled: bool) -> torch.memory_format:
    """Channels-last on GPUs and in compiled networks; on a processor the layout that was measured to be faster.

    On a processor, the gradient of torch's own group normalisation takes nine times as long in channels-last bf16
    (16 ms instead of 1.7 for 64 channels of 128x128), which costs a step of the default network a tenth.
    Compiled networks bring a normalisation of their own.
    """
    return torch.channels_last if device.type == "cuda" or compiled else torch.contiguous_format


def fresh_optimizer(model: nn.Module, config: TrainingConfig, alignment: nn.Module | None = None) -> torch.optim.AdamW:
    """AdamW for a network and its alignment; every step sets its learning rate."""
    parameters = [*model.parameters(), *(alignment.parameters() if alignment else ())]
    on_gpu = parameters[0].is_cuda
    return torch.optim.AdamW(
        parameters, lr=1.0, weight_decay=config.weight_decay, betas=(0.9, 0.99), fused=on_gpu, foreach=not on_gpu
    )


def _check_shares(config: TrainingConfig, processes: int) -> None:
    for stage in config.stages:
        if stage.batch_size % (processes * config.accumulate):
            raise ArgumentError(
                f"A batch of {stage.batch_size} cannot be shared evenly among {processes} processes in "
                f"{config.accumulate} parts each; choose a --batch-size that is a multiple of "
                f"{processes * config.accumulate}."
            )
