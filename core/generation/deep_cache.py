"""Reuse of deep features across neighbouring steps (DeepCache: Ma, Fang and Wang 2023, arXiv 2312.00858).

From step to step the coarse features of a UNet change little. A step that reuses them evaluates what stands outside
of them alone: the first convolution, the last residual block, into which that convolution's answer is passed on, and
the last convolution. The images are not those that are made without; docs/performance.md says how far they are off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch

from core.errors import ArgumentError
from core.models.guided_checkpoints import Guided
from core.presets import NO_REUSE

_LAST_BLOCKS: Final = ("UpBlock2D", "AttnUpBlock2D")


def check_reuse(name: str, config: Mapping[str, Any], reuse: int) -> None:
    """Whether a model can be evaluated so.

    Args:
        name: of the checkpoint, for the message.
        config: arguments of ``diffusers.UNet2DModel``.
        reuse: as in a job.

    Raises:
        ArgumentError: its last block is none of those whose features can be distinguished here.
    """
    if reuse == NO_REUSE:
        return
    blocks = config.get("up_block_types") or ("UpBlock2D",)
    plain = blocks[-1] in _LAST_BLOCKS and not any("Skip" in kind for kind in blocks)
    if not plain or config.get("center_input_sample") or config.get("time_embedding_type") == "fourier":
        raise ArgumentError(f"{name} is a model whose features cannot be reused; choose a reuse of {NO_REUSE}.")


def reusing(model: Any, reuse: int) -> Any:
    """A model for the steps of one batch that computes its deep features only at every ``reuse``-th step.

    Args:
        model: what ``core.generation.denoising.denoise`` evaluates; one that ``check_reuse`` accepts.
        reuse: as in a job; ``NO_REUSE`` gives the model itself.
    """
    if reuse == NO_REUSE:
        return model
    return model.each(lambda part: _Reusing(part, reuse)) if isinstance(model, Guided) else _Reusing(model, reuse)


class _Reusing:
    """A UNet2DModel, in whatever form of its parts, that is called once for each step of one batch."""

    def __init__(self, model: Any, reuse: int) -> None:
        self._model, self._reuse = model, reuse
        self._last = model.up_blocks[-1]
        self._calls = 0
        self._deep: torch.Tensor  # (B, C, S, S), what the last residual block was given, without the skip
        self.config, self.dtype = model.config, model.dtype

    def __call__(self, noisy: torch.Tensor, timestep: int, return_dict: bool = False) -> tuple[torch.Tensor]:
        """Predict for (B, 3, S, S); ``return_dict`` must be false."""
        fresh = self._calls % self._reuse == 0
        self._calls += 1
        return self._whole(noisy, timestep, return_dict) if fresh else (self._outer(noisy, timestep),)

    def _whole(self, noisy: torch.Tensor, timestep: int, return_dict: bool) -> tuple[torch.Tensor]:
        hook = self._last.resnets[-1].register_forward_pre_hook(self._keep)
        try:
            answer: tuple[torch.Tensor] = self._model(noisy, timestep, return_dict=return_dict)
        finally:
            hook.remove()  # the model stays in memory for other jobs
        return answer

    def _keep(self, _block: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        skip = self._model.conv_in.out_channels
        self._deep = given[0][:, :-skip]

    def _outer(self, noisy: torch.Tensor, timestep: int) -> torch.Tensor:
        """What ``UNet2DModel.forward`` does outside of the deep features."""
        model, last = self._model, self._last
        timesteps = torch.full((len(noisy),), timestep, device=noisy.device)
        embedding = model.time_embedding(model.time_proj(timesteps).to(noisy.dtype))
        hidden = last.resnets[-1](torch.cat([self._deep, model.conv_in(noisy)], dim=1), embedding)
        if getattr(last, "attentions", None):
            hidden = last.attentions[-1](hidden)
        answer: torch.Tensor = model.conv_out(model.conv_act(model.conv_norm_out(hidden)))
        return answer
