"""The training loop of a class-conditional UNet: progressive in size, resumable to the bit on a CPU."""

from __future__ import annotations

import csv
import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DModel
from safetensors.torch import load_file
from torch import nn
from tqdm import tqdm

from core.architectures import DEFAULT_SCHEDULER, DEMO_UNET, UNCONDITIONAL
from core.classes import CLASSES
from core.demo_set import DESCRIPTION_FILE, WEIGHTS_FILE
from diffusion.data import BalancedBatches, LabelledImage, load_pixels, read_ham10000, split_by_lesion
from diffusion.ema import ExponentialMovingAverage
from diffusion.growing import grow, inner_config
from diffusion.objective import denoising_loss

STATE_FORMAT = "isicgui.training/1"
HELD_OUT_IMAGES = 128
DROP_CLASS = 0.1  # share of images trained without their class, which is what guidance needs


@dataclass(frozen=True)
class Stage:
    """One image size of a progressive run: most of the layout is learnt where a step is cheap."""

    size: int
    batch_size: int
    steps: int
    learning_rate: float
    final_learning_rate: float
    guidance: float = 0.0


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the outcome of a run, apart from the images."""

    stages: tuple[Stage, ...]
    prediction_type: str = "v_prediction"
    seed: int = 0
    warm_up: int = 200
    ema_decay: float = 0.999
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    precision: str = "bf16"
    compile: bool = False
    save_every: int = 250

    def total_steps(self) -> int:
        """Steps over all stages."""
        return sum(stage.steps for stage in self.stages)


class Trainer:
    """A run: model, average, optimiser and the number of the step. ``run`` goes on from wherever it stands."""

    def __init__(self, config: TrainingConfig, data: Path, output: Path) -> None:
        self.config = config
        self.output = output
        output.mkdir(parents=True, exist_ok=True)
        self.training, self.held_out = split_by_lesion(read_ham10000(data))
        torch.manual_seed(config.seed)
        self.scheduler = DDPMScheduler(**{**DEFAULT_SCHEDULER, "prediction_type": config.prediction_type})
        self.step = 0
        self._begin_with(unet_for(config.stages[0].size))

    def _begin_with(self, unet: dict[str, Any]) -> None:
        """A fresh model of this configuration, with its average and optimiser."""
        self.unet = unet
        self.model: Any = UNet2DModel(**unet).to(memory_format=torch.channels_last)
        self.average = ExponentialMovingAverage(self.model, self.config.ema_decay)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=1.0, weight_decay=self.config.weight_decay, betas=(0.9, 0.99), foreach=True
        )

    def _grow(self, unet: dict[str, Any]) -> None:
        """Go on with the larger network around the averaged weights of the present one."""
        grown = grow(self.average.shadow, unet, self.scheduler)
        self._begin_with(unet)
        self.model.load_state_dict(grown)
        self.average = ExponentialMovingAverage(self.model, self.config.ema_decay)

    @property
    def state_file(self) -> Path:
        """Where the whole state of the run is kept."""
        return self.output / "state.pt"

    def run(self, until: int | None = None) -> None:
        """Train up to step ``until`` (all stages when None); saves on the way and at the end, also on Ctrl-C."""
        last = min(self.config.total_steps(), until or self.config.total_steps())
        try:
            while self.step < last:
                first, stage = self._stage()
                if self.unet != unet_for(stage.size):
                    self._grow(unet_for(stage.size))
                self._run_stage(first, stage, min(last, first + stage.steps))
        finally:
            self.save()

    def _stage(self) -> tuple[int, Stage]:
        first = 0
        for stage in self.config.stages:
            if self.step < first + stage.steps:
                return first, stage
            first += stage.steps
        raise IndexError(f"step {self.step} is past the last stage")

    def _run_stage(self, first: int, stage: Stage, last: int) -> None:
        cache = self.output / "cache"
        pixels = load_pixels(self.training, stage.size, cache)
        batches = BalancedBatches(pixels, _labels(self.training), stage.batch_size, self.config.seed)
        held_out = self.held_out[:: max(1, len(self.held_out) // HELD_OUT_IMAGES)]
        fixed = BalancedBatches(load_pixels(held_out, stage.size, cache), _labels(held_out), len(held_out), seed=1)
        forward = torch.compile(self.model, dynamic=False) if self.config.compile else self.model
        self.model.train()
        total, since, started = 0.0, self.step, time.monotonic()
        bar = tqdm(
            range(self.step, last), initial=self.step - first, total=stage.steps, desc=f"{stage.size} px", mininterval=2
        )
        for step in bar:
            loss = self._train_step(forward, batches, stage, step, step - first)
            self.step = step + 1
            total += loss
            if self.step % self.config.save_every == 0 or self.step == last:
                mean, seconds = total / (self.step - since), time.monotonic() - started
                rate = (self.step - since) * stage.batch_size / seconds
                self._log(stage.size, mean, self._held_out_loss(fixed), rate)
                self.save()
                total, since, started = 0.0, self.step, time.monotonic()

    def _train_step(self, forward: Any, batches: BalancedBatches, stage: Stage, step: int, step_in_stage: int) -> float:
        images, labels, generator = batches.batch(step)
        size = (stage.batch_size,)
        dropped = torch.rand(size, generator=generator) < DROP_CLASS
        labels = labels.masked_fill(dropped, UNCONDITIONAL)
        timesteps = torch.randint(0, 1000, size, generator=generator)
        noise = torch.randn(images.shape, generator=generator).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.precision == "bf16"):
            loss = denoising_loss(forward, self.scheduler, images, labels, timesteps, noise, stage.guidance)
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"the loss of step {step} is {loss.item()}; the last saved state is good")
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(stage, step_in_stage, self.config.warm_up)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.model)
        return loss.item()

    @torch.no_grad()
    def _held_out_loss(self, fixed: BalancedBatches) -> float:
        """Loss of the averaged weights on held-out lesions, at noise and timesteps that never change."""
        trained = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.shadow)
        total, rounds = 0.0, 2
        for number in range(rounds):
            images, labels, generator = fixed.batch(number)
            timesteps = torch.linspace(0, 999, len(images)).long()
            noise = torch.randn(images.shape, generator=generator)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.config.precision == "bf16"):
                total += denoising_loss(self.model, self.scheduler, images, labels, timesteps, noise).item()
        self.model.load_state_dict(trained)
        return total / rounds

    def _log(self, size: int, loss: float, held_out_loss: float, rate: float) -> None:
        file = self.output / "loss.csv"
        new = not file.exists()
        with file.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            if new:
                writer.writerow(["step", "size", "loss", "held_out_loss", "images_per_second"])
            writer.writerow([self.step, size, f"{loss:.5f}", f"{held_out_loss:.5f}", f"{rate:.2f}"])
        tqdm.write(f"step {self.step}: loss {loss:.4f}, held out {held_out_loss:.4f}, {rate:.1f} images/s")

    def save(self) -> None:
        """Write the whole state; the file is either whole or the previous one."""
        part = self.state_file.with_suffix(f".{os.getpid()}.part")
        state = {
            "format": STATE_FORMAT,
            "step": self.step,
            "training_config": asdict(self.config),
            "config": self.unet,
            "scheduler": {**DEFAULT_SCHEDULER, "prediction_type": self.config.prediction_type},
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(state, part)
        part.replace(self.state_file)

    def resume(self, file: Path) -> None:
        """Go on from a saved state. Batches and noise follow from the step number, so nothing else is needed."""
        state = torch.load(file, map_location="cpu", weights_only=True)
        if state.get("format") != STATE_FORMAT:
            raise ValueError(f"{file} is not a training state ({STATE_FORMAT}).")
        self.step = state["step"]
        self._begin_with(state["config"])
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])

    def start_from(self, folder: Path) -> None:
        """Begin with the weights of an exported demonstration set: step 0, fresh optimiser and average.

        Raises:
            ValueError: the set has another architecture.
        """
        config = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))["config"]
        if config != json.loads(json.dumps(self.unet)):
            raise ValueError(f"{folder} holds a model of another architecture.")
        self.model.load_state_dict({name: w.float() for name, w in load_file(folder / WEIGHTS_FILE).items()})
        self.average = ExponentialMovingAverage(self.model, self.config.ema_decay)


def unet_for(size: int) -> dict[str, Any]:
    """The configuration that a stage of this image size trains: the whole network, or its inner part."""
    return DEMO_UNET if size >= DEMO_UNET["sample_size"] else inner_config(DEMO_UNET)


def learning_rate(stage: Stage, step: int, warm_up: int) -> float:
    """Linear warm-up, then a half cosine from the stage's first to its last learning rate."""
    progress = min(1.0, step / stage.steps)
    low, high = stage.final_learning_rate, stage.learning_rate
    return min(1.0, (step + 1) / warm_up) * (low + (high - low) * 0.5 * (1 + math.cos(math.pi * progress)))


def _labels(images: list[LabelledImage]) -> list[int]:
    return [CLASSES.index(image.class_name) for image in images]
