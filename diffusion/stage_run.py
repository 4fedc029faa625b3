"""One stage of a training run: batches in, steps of the optimiser, and their report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import psutil
import torch
from torch import nn
from tqdm import tqdm

from core.errors import JobFailedError
from core.generation.control import Control
from core.io.plain_text import printable
from core.models.autoencoders import AutoencoderWeights
from diffusion.batches import BalancedBatches, Batch, LatentBatches, TrainingBatches, fixed_batches
from diffusion.cache import Pixels, load_pixels
from diffusion.config import Stage, learning_rate
from diffusion.data import LabelledImage
from diffusion.grids import draw_grid, save_grid
from diffusion.history import History, Measured
from diffusion.latents import load_latents
from diffusion.learner import Learner
from diffusion.objective import denoising_loss
from diffusion.stopping import is_told_to_stop

HELD_OUT_IMAGES: Final = 128
_LOOK_EVERY: Final = 20  # steps between looks at loss and signals, each of which makes a GPU wait


class StageRun:
    """One stage of a run: its images at its size, and the steps over them."""

    def __init__(
        self, trainer: Learner, first: int, stage: Stage, last: int, history: History, control: Control
    ) -> None:
        self.trainer, self.config, self.stage = trainer, trainer.config, stage
        self.first, self.last, self.history, self.control = first, last, history, control
        self.main = trainer.accelerator.is_main_process
        self.unseen: list[torch.Tensor] = []  # losses and norms of gradients since the last look
        self.total, self.since, self.paused = 0.0, trainer.step, 0.0
        self.look_every = 1 if trainer.device.type == "cpu" and trainer.accelerator.num_processes == 1 else _LOOK_EVERY
        self.told_to_stop = False

    def run(self) -> None:
        """Train to the last step, or until the trainer no longer improves or must stop."""
        trainer, batches = self.trainer, self.prepare()
        bar = tqdm(
            initial=trainer.step - self.first,
            total=self.stage.steps,
            desc=f"{trainer.places.output.name}, {self.stage.size} px",
            unit="step",
            mininterval=1,
            dynamic_ncols=True,
            disable=not self.main,
        )
        self.started = time.monotonic()
        with bar, ThreadPoolExecutor(max_workers=1) as pool:
            upcoming = pool.submit(batches.batch, trainer.step)
            while trainer.step < self.last and not self.told_to_stop and not trainer.stopping.exhausted:
                batch = upcoming.result()
                upcoming = pool.submit(batches.batch, trainer.step + 1)  # is made while this one is trained on
                self.train_step(batch)
                self._after_step(bar)

    def prepare(self) -> TrainingBatches:
        """Have the images decoded and the model ready; returns where the batches come from."""
        batches, self.fixed = self._batches()
        self.forward = self._wrapped()
        self.trainer.model.train()
        return batches

    def _batches(self) -> tuple[TrainingBatches, list[Batch]]:
        trainer, share = self.trainer, (self.trainer.accelerator.process_index, self.trainer.accelerator.num_processes)
        if trainer.autoencoder:
            return self._latent_batches(trainer.autoencoder, *share)
        pixels = load_pixels(trainer.training, self.stage.size, trainer.places.cache)
        # Where everything shows one lesion, nothing can be held out.
        held_out = _thinned(trainer.held_out or trainer.training)
        fixed = load_pixels(held_out, self.stage.size, trainer.places.cache)
        if self.main and (bad := pixels.unreadable + fixed.unreadable):
            names = printable(", ".join(bad[:3]))
            tqdm.write(f"left out {len(bad)} files that cannot be read as images ({names})")
        classes = [image.class_name for image in pixels.images]
        drawn = BalancedBatches(
            pixels.array, classes, self.stage.batch_size, self.config.seed, jitter=self.config.jitter
        )
        labels = trainer.conditioning.labels(pixels.images)
        return (
            TrainingBatches(drawn, labels, trainer.conditioning, trainer.device, *share, trainer.layout),
            self._fixed_batches(_as_images(fixed), fixed.images, *share),
        )

    def _latent_batches(
        self, autoencoder: AutoencoderWeights, rank: int, processes: int
    ) -> tuple[TrainingBatches, list[Batch]]:
        trainer = self.trainer
        found, fixed = (
            load_latents(images, autoencoder, self.stage.size, trainer.places.cache, trainer.device)
            for images in (trainer.training, _thinned(trainer.held_out or trainer.training))
        )
        classes = [image.class_name for image in found.images]
        statistics = (autoencoder.mean, autoencoder.std)
        features = found.features if self.config.alignment else None
        drawn = LatentBatches(found.array, statistics, classes, self.stage.batch_size, self.config.seed, features)
        labels = trainer.conditioning.labels(found.images)
        return (
            TrainingBatches(drawn, labels, trainer.conditioning, trainer.device, rank, processes, trainer.layout),
            self._fixed_batches(drawn.normalised(fixed.array[:, 0]), fixed.images, rank, processes),
        )

    def _fixed_batches(
        self, images: torch.Tensor, labelled: Sequence[LabelledImage], rank: int, processes: int
    ) -> list[Batch]:
        labels = self.trainer.conditioning.labels(labelled)
        batches = fixed_batches(images, labels, self.config.conditioning != "none", rank, processes)
        return [batch.to(self.trainer.device) for batch in batches]

    def _wrapped(self) -> Any:
        """The model as it is trained: over several processes, compiled where that was asked for."""
        model = self.trainer.model
        if self.trainer.accelerator.num_processes > 1:
            model = self.trainer.accelerator.prepare_model(model)
        return torch.compile(model, dynamic=False) if self.config.compile else model

    def train_step(self, batch: Batch) -> None:
        """One step of the optimiser and of the average; what there is to see of it waits for the next look."""
        trainer, parts = self.trainer, batch.parts(self.config.accumulate)
        total = torch.zeros((), device=trainer.device)
        for index, part in enumerate(parts, start=1):
            # Processes exchange gradients once a step, with the last part.
            waiting = trainer.accelerator.no_sync(self.forward) if index < len(parts) else contextlib.nullcontext()
            with waiting:
                with trainer.autocast():
                    loss = self._loss(self.forward, part, self.stage.guidance)
                    if trainer.alignment and part.features is not None:
                        loss = loss + self.config.alignment * trainer.alignment.loss(part.features)
                    loss = loss / len(parts)
                trainer.scaler.scale(loss).backward()
            total += loss.detach()
        trainer.scaler.unscale_(trainer.optimizer)
        norm = nn.utils.clip_grad_norm_(trainer.model.parameters(), self.config.clip_norm)
        for group in trainer.optimizer.param_groups:
            group["lr"] = learning_rate(self.stage, trainer.step - self.first, self.config.warm_up)
        trainer.scaler.step(trainer.optimizer)
        trainer.scaler.update()
        trainer.optimizer.zero_grad(set_to_none=True)
        trainer.average.update(trainer.model)
        if trainer.scaler.is_enabled():
            norm = torch.zeros_like(norm)  # a gradient that overflows is left out, and the scale lowered
        self.unseen.append(torch.stack([total, norm.detach()]))
        trainer.step += 1

    def _loss(self, model: Any, batch: Batch, guidance: float = 0.0) -> torch.Tensor:
        return denoising_loss(
            model, self.trainer.scheduler, batch.images, batch.labels, batch.timesteps, batch.noise, guidance
        )

    def _after_step(self, bar: tqdm) -> None:
        trainer, step = self.trainer, self.trainer.step
        ending = step == self.first + self.stage.steps
        validating = step % self.config.validate_every == 0 or ending
        saving = step % self.config.save_every == 0
        drawing = bool(self.config.grid_every) and (step % self.config.grid_every == 0 or ending)
        if step % self.look_every == 0 or validating or saving or drawing:
            self._look(bar)
        if validating:
            self._validate(bar)
        if drawing and self.main:
            self._draw()
        if saving:
            trainer.save()

    def _look(self, bar: tqdm) -> None:
        """Look at what has happened since the last look; all processes together, so that all decide the same.

        Raises:
            JobFailedError: a loss or a gradient was not finite.
        """
        facts = torch.stack(self.unseen)
        self.unseen = []
        finite = torch.isfinite(facts).all()
        stop = torch.tensor(float(is_told_to_stop(self.control)), device=facts.device)
        seen = torch.stack([facts[:, 0].sum(), (~finite).float(), stop])
        bad_or_stop = self.trainer.accelerator.reduce(seen, reduction="mean").tolist()
        if bad_or_stop[1]:
            raise JobFailedError(
                f"The loss became infinite or not a number by step {self.trainer.step} in {self.config.precision}; the "
                f"last state that was saved is good: {self.trainer.places.state}. Go on from it with --resume and a "
                "lower --learning-rate, or in --precision fp32."
            )
        self.total += bad_or_stop[0]
        self.told_to_stop = self.told_to_stop or bad_or_stop[2] > 0
        bar.update(self.trainer.step - self.first - bar.n)
        bar.set_postfix_str(
            f"loss {bad_or_stop[0] / len(facts):.4f}, {self._rate():.1f} images/s, {self._memory():.0f} MiB",
            refresh=False,
        )

    def _rate(self) -> float:
        seconds = time.monotonic() - self.started - self.paused
        return (self.trainer.step - self.since) * self.stage.batch_size / max(seconds, 1e-9)

    def _memory(self) -> float:
        if self.trainer.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.trainer.device) / 2**20
        return float(psutil.Process().memory_info().rss) / 2**20

    def _validate(self, bar: tqdm) -> None:
        """Loss of the averaged weights on held-out lesions, at noise and timesteps that never change."""
        trainer, rate = self.trainer, self._rate()
        with trainer.averaged() as model:
            losses = [self._loss(model, batch) * len(batch.images) for batch in self.fixed]
        counted = torch.tensor(float(sum(len(batch.images) for batch in self.fixed)), device=trainer.device)
        facts = torch.stack([torch.stack(losses).sum() if losses else torch.zeros_like(counted), counted])
        total, count = trainer.accelerator.reduce(facts, reduction="sum").tolist()
        step, held_out, loss = trainer.step, total / count, self.total / (trainer.step - self.since)
        better = trainer.stopping.see(held_out, step)
        if self.main:
            learning = trainer.optimizer.param_groups[0]["lr"]
            self.history.add(Measured(step, self.stage.size, loss, held_out, rate, learning, self._memory()))
            best = ", the best so far" if better else ""
            bar.write(f"step {step}: loss {loss:.4f}, held out {held_out:.4f}{best}, {rate:.1f} images/s")
            if better and trainer.publish and self.stage.size == self.config.stages[-1].size:
                trainer.publish(trainer)
        self.total, self.since = 0.0, step
        self.started, self.paused = time.monotonic(), 0.0

    def _draw(self) -> None:
        trainer, begun = self.trainer, time.monotonic()
        decoder = trainer.autoencoder.build(trainer.device) if trainer.autoencoder else None
        with trainer.averaged() as model:
            pixels = draw_grid(model, self.config.conditioning, trainer.schedule, trainer.device, decoder)
        grids = trainer.places.output / "grids"
        with self.history.side_files.continue_without(grids):
            save_grid(pixels, grids / f"step_{trainer.step:07d}.png")
        self.history.add_grid(pixels, trainer.step)
        self.paused += time.monotonic() - begun


def _thinned(images: list[LabelledImage]) -> list[LabelledImage]:
    """At most 128 of them and at least 64 where there are as many, spread over all."""
    return images[:: -(-len(images) // HELD_OUT_IMAGES)]


def _as_images(pixels: Pixels) -> torch.Tensor:
    """Pixels as float32 (N, 3, S, S) in [-1, 1]."""
    return torch.from_numpy(np.array(pixels.array)).permute(0, 3, 1, 2).float() / 127.5 - 1
