"""The part of a metadata-conditioned UNet that reads the condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import nn

from core.models.conditions import METADATA, Vocabulary, columns_of, width_of
from core.models.torchvision_shim import declare_missing_operators

IDENTITY: Final = "identity"
_FEW_NUMBERS: Final = 16


class ConditionEmbedding(nn.Module):
    """The numbers of a condition, NaN if unknown, to a vector that is added to the time embedding.

    For each field the network also gets whether it is unknown, so that an unknown sex differs from the zero that stands
    for male. The last layer starts at zero: a UNet that gets this part later starts as the UNet without it.
    """

    def __init__(self, width: int, vocabulary: Vocabulary = METADATA, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or hidden_width(vocabulary)
        self._first_of_field = [columns.start for columns in columns_of(vocabulary).values()]
        self.linear_1 = nn.Linear(width_of(vocabulary) + len(vocabulary), hidden)
        self.linear_2 = nn.Linear(hidden, width)
        nn.init.zeros_(self.linear_2.weight)
        nn.init.zeros_(self.linear_2.bias)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """(B, N) of 0, 1 and NaN to (B, width), where N is the number of values in the vocabulary."""
        unknown = vectors[:, self._first_of_field].isnan().to(vectors.dtype)
        numbers = torch.cat([vectors.nan_to_num(nan=0.0), unknown], dim=1)
        embedded: torch.Tensor = self.linear_2(nn.functional.silu(self.linear_1(numbers)))
        return embedded


def is_conditioned(config: Mapping[str, Any]) -> bool:
    """Whether a configuration asks for a UNet that takes the numbers of a condition as its class labels."""
    return config.get("class_embed_type") == IDENTITY


def hidden_width(vocabulary: Vocabulary) -> int:
    """Units of the embedding's hidden layer: some ten for each number of a condition."""
    return 128 if width_of(vocabulary) <= _FEW_NUMBERS else 256


def build_unet(config: Mapping[str, Any], vocabulary: Vocabulary = METADATA, hidden: int | None = None) -> Any:
    """A ``UNet2DModel`` with random weights; its class embedding reads conditions where ``is_conditioned``.

    diffusers hands class labels of the type "identity" to the class embedding as they are, and adds what comes out
    to the time embedding; the ``ConditionEmbedding`` takes that place.
    """
    declare_missing_operators()
    from diffusers import UNet2DModel  # noqa: PLC0415 - takes seconds, and reading a condition does not need it

    model = UNet2DModel(**config)
    if is_conditioned(config):
        model.class_embedding = ConditionEmbedding(model.time_embedding.linear_2.out_features, vocabulary, hidden)
    return model
