"""Find the weights of a UNet inside the files that training scripts leave, under whatever names they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch

# Averaged weights first: they are what a training run is judged by and what its images are made with.
_AVERAGED: Final = ("ema_state_dict", "ema_model_state_dict", "ema_model", "ema")
_TRAINED: Final = ("model_state_dict", "state_dict", "unet_state_dict", "unet", "model")
_WRAPPERS: Final = ("module.", "_orig_mod.", "ema_model.", "model.", "unet.")
_OLD_ATTENTION: Final = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}


def find_weights(
    content: Mapping[str, Any], parameter_names: Callable[[], Sequence[str]]
) -> tuple[Mapping[str, torch.Tensor] | None, str]:
    """Find the state_dict in what ``torch.load`` returned, and say in words where it was.

    Args:
        content: the mapping that the file holds.
        parameter_names: names of the architecture's parameters in order; called only for a file whose average
            is a bare list of tensors (``shadow_params``, as diffusers' EMAModel writes).
    """
    if _is_state_dict(content):
        return content, "bare state_dict"
    if "shadow_params" in content:  # the state of diffusers' EMAModel, saved by itself
        return _weights_under(content, parameter_names), "averaged weights (shadow_params)"
    for keys, what in ((_AVERAGED, "training file, averaged weights"), (_TRAINED, "training file")):
        for key in keys:
            weights = _weights_under(content.get(key), parameter_names)
            if weights is not None:
                return weights, f"{what} ({key})"
    return None, ""


def _weights_under(value: object, parameter_names: Callable[[], Sequence[str]]) -> Mapping[str, torch.Tensor] | None:
    if not isinstance(value, Mapping):
        return None
    if _is_state_dict(value):
        return value
    for key in ("shadow", "state_dict", "model_state_dict"):
        inner = value.get(key)
        if isinstance(inner, Mapping) and _is_state_dict(inner):
            return inner
    shadow = value.get("shadow_params")
    if isinstance(shadow, Sequence):
        names = parameter_names()
        if len(names) == len(shadow):
            return dict(zip(names, shadow, strict=True))
    return None


def _is_state_dict(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(isinstance(tensor, torch.Tensor) for tensor in value.values())


def normalise_names(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Strip wrappers' prefixes and give attention weights the names that diffusers uses today.

    Before diffusers 0.13 an attention block had ``query``, ``key``, ``value`` and ``proj_attn``; ports of the
    original DDPM keep them as 1x1 convolutions, which hold the same numbers as a linear layer.
    """
    normalised: dict[str, torch.Tensor] = {}
    for name, tensor in weights.items():
        clean = _strip_wrappers(name)
        renamed = clean
        for old, new in _OLD_ATTENTION.items():
            renamed = renamed.replace(old, new)
        if renamed != clean and tensor.ndim == 4 and tensor.shape[2:] == (1, 1):
            tensor = tensor[:, :, 0, 0]  # noqa: PLW2901
        if renamed != "n_averaged":  # the counter of torch.optim.swa_utils.AveragedModel
            normalised[renamed] = tensor
    return normalised


def _strip_wrappers(name: str) -> str:
    for prefix in _WRAPPERS:
        if name.startswith(prefix):
            return _strip_wrappers(name.removeprefix(prefix))
    return name
