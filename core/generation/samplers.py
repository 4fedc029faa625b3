"""The samplers, each made from the checkpoint's training schedule, behind one interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch

from core.errors import ArgumentError, CheckpointError
from core.models.torchvision_shim import declare_missing_operators

declare_missing_operators()
from diffusers import (  # noqa: E402 - torchvision's schemas must stand before diffusers imports it
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    UniPCMultistepScheduler,
)

_MULTISTEP: Final[dict[str, Any]] = {
    # Order 3 is the solvers' authors' choice for models without guidance. "linspace" starts from pure noise, as
    # the image does; a leading grid would start a step early, which few steps cannot make good.
    "solver_order": 3,
    "timestep_spacing": "linspace",
}


class _ClippedEstimate:
    """Clips the x0 estimate to the range of the training schedule, as DDPM does: 1 for images.

    With a squaredcos_cap_v2 schedule the signal is almost zero at the first timesteps (alpha 5e-5), so the estimate
    divides the network's error by almost nothing; multistep solvers extrapolate from such estimates and diverge.
    Dynamic thresholding would also work, at the price of a sort per step.
    """

    estimate_range = 1.0

    def convert_model_output(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        estimate: torch.Tensor = super().convert_model_output(*args, **kwargs)  # type: ignore[misc]
        return estimate.clamp(-self.estimate_range, self.estimate_range)


class ClippedDPMSolver(_ClippedEstimate, DPMSolverMultistepScheduler):
    """DPM-Solver++ (Lu et al. 2022, arXiv 2211.01095), multistep, with a clipped x0 estimate."""


class ClippedUniPC(_ClippedEstimate, UniPCMultistepScheduler):
    """UniPC (Zhao et al. 2023, arXiv 2302.04867) with a clipped x0 estimate."""


_SCHEDULERS: Final[dict[str, tuple[Any, dict[str, Any]]]] = {
    "ddpm": (DDPMScheduler, {}),
    "ddim": (DDIMScheduler, {}),
    "dpmpp": (ClippedDPMSolver, _MULTISTEP),
    "unipc": (ClippedUniPC, _MULTISTEP),
}


class Sampler:
    """One run through the denoising steps of a batch. Holds the solver's history: make a new one for each batch.

    Attributes:
        timesteps: the timesteps visited, falling, each in [0, 1000).
    """

    def __init__(self, name: str, schedule: Mapping[str, Any], steps: int) -> None:
        """Make a sampler from a training schedule (arguments of ``diffusers.DDPMScheduler``).

        Raises:
            ArgumentError: more steps than the schedule has timesteps.
            CheckpointError: the schedule is not one that diffusers knows.
        """
        try:
            training = DDPMScheduler(**schedule)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise CheckpointError(
                f"The checkpoint's scheduler {dict(schedule)!r} cannot be built ({error})."
            ) from error
        kind, options = _SCHEDULERS[name]
        # A multistep solver divides by the distance of two timesteps, so no two may be the same.
        most = training.config.num_train_timesteps - (1 if options else 0)
        if steps > most:
            raise ArgumentError(f"{steps} steps are more than the sampler {name} can take here; choose at most {most}.")
        self._scheduler: Any = kind.from_config(training.config, **options)
        # Latents have no natural bounds: a latent checkpoint gives the range of its training latents here.
        self._scheduler.estimate_range = float(training.config.clip_sample_range)
        self._ancestral = name == "ddpm"
        self._multistep = bool(options)
        self._scheduler.set_timesteps(steps)
        self.timesteps: list[int] = [int(timestep) for timestep in self._scheduler.timesteps]

    def step(
        self,
        prediction: torch.Tensor,
        timestep: int,
        images: torch.Tensor,
        generators: Sequence[torch.Generator],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Go one step towards the images.

        Args:
            prediction: (B, C, S, S), the UNet's output at ``timestep``, float32.
            timestep: the element of ``timesteps`` whose turn it is.
            images: (B, C, S, S), the noisy images or latents, float32.
            generators: one per image; every random number of the step comes from them.

        Returns:
            The less noisy images and the x0 estimate, both (B, C, S, S); the estimate within the schedule's clip range,
            which is [-1, 1] for images.
        """
        if self._multistep:
            previous = self._scheduler.step(prediction, timestep, images, return_dict=False)[0]
            return previous, self._scheduler.model_outputs[-1]
        noise = {"generator": list(generators)} if self._ancestral else {}
        step = self._scheduler.step(prediction, timestep, images, **noise)
        return step.prev_sample, step.pred_original_sample
