"""The training of an autoencoder: first reconstruction, then a decoder that restores fine detail."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from core.errors import CheckpointError, JobFailedError
from core.generation.control import Control
from core.models.autoencoders import AutoencoderWeights, build_autoencoder
from core.models.devices import DTYPES
from diffusion.autoencoder.crops import CropBatches
from diffusion.autoencoder.discriminator import Discriminator, discriminator_loss, generator_loss
from diffusion.autoencoder.losses import ImageNetFeatures, latent_penalty, perceptual_distance, pixel_error
from diffusion.autoencoder.settings import CLASS_NAME, AutoencoderSettings
from diffusion.ema import ExponentialMovingAverage
from diffusion.stopping import is_told_to_stop

_CLIP = 1.0
_WARM_UP = 200
_HALVES_EVERY = 4  # every fourth step decodes latents of half the size
_LAST_SHARE = 0.02  # of the learning rate, at the end of a part
_DISCRIMINATOR_RATE = 2.0  # times the decoder's


class AutoencoderLearner:
    """Model, average, optimisers and the number of the step."""

    def __init__(self, settings: AutoencoderSettings, device: torch.device) -> None:
        self.settings, self.device, self.step = settings, device, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            model = build_autoencoder(CLASS_NAME, settings.model_config())
            self.discriminator = Discriminator().to(device)
        move: Any = nn.Module.to  # typed without memory_format
        self.model: Any = move(model, device=device, memory_format=torch.channels_last)
        self.features = ImageNetFeatures().to(device)
        self.average = ExponentialMovingAverage(self.model, settings.ema_decay)
        self.optimizer = _optimizer(self.model.parameters(), (0.9, 0.99))
        self.sharpener = _optimizer(self.model.decoder.parameters(), (0.5, 0.99))
        self.judge = _optimizer(self.discriminator.parameters(), (0.5, 0.99))

    @property
    def finished(self) -> bool:
        """Whether both parts are done."""
        return self.step >= self.settings.total_steps

    def run(self, batches: CropBatches, control: Control, seen: Callable[[float], None], until: int) -> None:
        """Train up to step ``until``, or until ``control`` stops the run; ``seen`` gets the loss of every step.

        Raises:
            JobFailedError: the loss is not finite.
        """
        while self.step < until and not is_told_to_stop(control):
            crops, generator = batches.batch(self.step)
            crops = crops.to(self.device).contiguous(memory_format=torch.channels_last)
            sharpening = self.step >= self.settings.steps
            loss = self._sharpen(crops, generator) if sharpening else self._reconstruct(crops, generator)
            if not math.isfinite(loss):
                raise JobFailedError(
                    f"The loss became infinite or not a number at step {self.step + 1}; continue from the last state "
                    "with --resume and a lower --learning-rate, or in --precision fp32."
                )
            self.average.update(self.model)
            self.step += 1
            seen(loss)

    def _reconstruct(self, crops: torch.Tensor, generator: torch.Generator) -> float:
        with self._autocast():
            latents = self.model.encode(crops, return_dict=False)[0].float()
            noisy, target = self._noisy(latents, generator), crops
            if self.step % _HALVES_EVERY == _HALVES_EVERY - 1:
                # Latents that can be scaled like images are easier to denoise (T. Kouzelis et al., arXiv 2502.09509).
                noisy, target = nn.functional.avg_pool2d(noisy, 2), nn.functional.avg_pool2d(crops, 2)
            decoded = self.model.decode(noisy, return_dict=False)[0].float()
            loss = self._error(decoded, target)[0] + latent_penalty(latents)
        self._update(self.optimizer, loss, self.model, self.settings.learning_rate, self.step, self.settings.steps)
        return float(loss.detach())

    def _sharpen(self, crops: torch.Tensor, generator: torch.Generator) -> float:
        self.model.encoder.requires_grad_(False)
        place, count = self.step - self.settings.steps, self.settings.sharpening_steps
        with self._autocast():
            with torch.no_grad():
                latents = self.model.encode(crops, return_dict=False)[0].float()
            decoded = self.model.decode(self._noisy(latents, generator), return_dict=False)[0].float()
            error, features, targets = self._error(decoded, crops)
            self.discriminator.requires_grad_(False)
            fooled = generator_loss(self.discriminator(decoded[:, :3], features))
            weight = self._balance(error, fooled) * min(1.0, place / _WARM_UP) * self.settings.adversarial
            loss = error + weight * fooled
        self._update(self.sharpener, loss, self.model.decoder, self.settings.sharpening_rate, place, count)
        self.discriminator.requires_grad_(True)
        with self._autocast():
            real = self.discriminator(crops[:, :3], targets)
            judged = self.discriminator(decoded[:, :3].detach(), [maps.detach() for maps in features])
            caught = discriminator_loss(real, judged)
        rate = _DISCRIMINATOR_RATE * self.settings.sharpening_rate
        self._update(self.judge, caught, self.discriminator, rate, place, count)
        return float(error.detach())

    def _error(
        self, decoded: torch.Tensor, target: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """The error of decoded crops, and the features of both."""
        with torch.no_grad():
            targets = self.features(target[:, :3])
        features = self.features(decoded[:, :3])
        error = pixel_error(decoded, target) + self.settings.perceptual * perceptual_distance(features, targets)
        return error, features, targets

    def _balance(self, error: torch.Tensor, fooled: torch.Tensor) -> torch.Tensor:
        """The weight that gives both losses the same gradient at the last layer (P. Esser et al., arXiv 2012.09841)."""
        last = self.model.decoder.conv_out.conv.weight
        first, second = (torch.autograd.grad(one, last, retain_graph=True)[0].norm() for one in (error, fooled))
        return (first / (second + 1e-6)).clamp(0.0, 1000.0).detach()

    def _noisy(self, latents: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        noise = torch.randn(latents.shape, generator=generator).to(self.device)
        return latents + self.settings.latent_noise * noise

    def _update(
        self, optimizer: torch.optim.Optimizer, loss: torch.Tensor, model: nn.Module, rate: float, step: int, steps: int
    ) -> None:
        for group in optimizer.param_groups:
            group["lr"] = rate * _schedule(step, steps)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), _CLIP)
        optimizer.step()

    def _autocast(self) -> torch.autocast:
        precision = self.settings.precision
        return torch.autocast(self.device.type, DTYPES[precision], enabled=precision != "fp32")

    def state(self) -> dict[str, Any]:
        """Everything that resuming needs. Batches and noise follow from the number of the step alone."""
        return {
            "step": self.step,
            "autoencoder_settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [one.state_dict() for one in (self.optimizer, self.sharpener, self.judge)],
            "discriminator": self.discriminator.state_dict(),
        }

    def load(self, state: dict[str, Any], source: str) -> None:
        """Continue from a state of the same architecture.

        Raises:
            CheckpointError: it is the state of another architecture, or of another kind of training.
        """
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            for optimizer, saved in zip((self.optimizer, self.sharpener, self.judge), state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.discriminator.load_state_dict(state["discriminator"])
            self.step = int(state["step"])
        except (KeyError, RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{source} is not a state of this autoencoder; resume it with the settings that it was started with."
            ) from error

    def weights(self, mean: tuple[float, ...], std: tuple[float, ...]) -> AutoencoderWeights:
        """The averaged weights, with the statistics of the latents."""
        averaged = {name: tensor.detach().cpu() for name, tensor in self.average.shadow.items()}
        config, masks = self.settings.model_config(), self.settings.mask_channel
        return AutoencoderWeights(CLASS_NAME, config, averaged, mean, std, masks)


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up, then a half cosine down to ``_LAST_SHARE``."""
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps))))
    return min(1.0, (step + 1) / min(_WARM_UP, max(1, steps))) * (_LAST_SHARE + (1 - _LAST_SHARE) * fall)


def _optimizer(parameters: Any, betas: tuple[float, float]) -> torch.optim.AdamW:
    return torch.optim.AdamW(list(parameters), lr=1.0, betas=betas, weight_decay=1e-3)
