"""Turn one conditional UNet into plain UNets, one for each class or condition, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from core.models.condition_embedding import ConditionEmbedding
from core.models.conditions import METADATA, Condition, Vocabulary

_EMBEDDING = "class_embedding."
_CLASSES = "class_embedding.weight"
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
    return _folded(state_dict, config, state_dict[_CLASSES][class_index])


@torch.no_grad()
def fold_condition(
    state_dict: Mapping[str, torch.Tensor],
    config: Mapping[str, Any],
    condition: Condition,
    vocabulary: Vocabulary = METADATA,
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Fold the embedding of one condition into the time embedding, as ``fold_class`` does.

    Returns:
        The weights and the configuration of an unconditional ``UNet2DModel``.

    Raises:
        ArgumentError: the condition has a field that the vocabulary does not have.
    """
    own = {name.removeprefix(_EMBEDDING): w.float() for name, w in state_dict.items() if name.startswith(_EMBEDDING)}
    embedding = ConditionEmbedding(len(state_dict[_BIAS]), vocabulary, len(own["linear_1.bias"]))
    embedding.load_state_dict(own)
    return _folded(state_dict, config, embedding(torch.tensor([condition.vector(vocabulary)]))[0])


def _folded(
    state_dict: Mapping[str, torch.Tensor], config: Mapping[str, Any], vector: torch.Tensor
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    folded = {name: tensor for name, tensor in state_dict.items() if not name.startswith(_EMBEDDING)}
    folded[_BIAS] = state_dict[_BIAS].float() + vector.float()
    plain = {key: value for key, value in config.items() if key != "class_embed_type"}
    return folded, {**plain, "num_class_embeds": None}
