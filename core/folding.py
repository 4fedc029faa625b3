"""Turn one class-conditional UNet into one plain UNet per class, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

_EMBEDDING = "class_embedding.weight"
_BIAS = "time_embedding.linear_2.bias"


def fold_class(
    state_dict: Mapping[str, torch.Tensor], config: Mapping[str, Any], class_index: int
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Fold a class's embedding vector into the time embedding.

    UNet2DModel adds the class embedding to the output of the time embedding's second linear layer. Adding the
    vector to that layer's bias therefore gives the same model, up to the rounding of one fp32 addition; the
    bias stays fp32 whatever the dtype of the other weights, so that nothing more is lost.

    Returns:
        The weights and the configuration of an unconditional ``UNet2DModel``.
    """
    vector = state_dict[_EMBEDDING][class_index]
    folded = {name: tensor for name, tensor in state_dict.items() if name != _EMBEDDING}
    folded[_BIAS] = state_dict[_BIAS].float() + vector.float()
    return folded, {**config, "num_class_embeds": None}
