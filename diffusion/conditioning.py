"""Conditions of a network besides the timestep: none, the class, metadata, or all of them."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

import torch

from core.classes import CLASSES
from core.models.architectures import UNCONDITIONAL
from core.models.condition_embedding import IDENTITY
from core.models.conditions import ALL_FIELDS, METADATA, Vocabulary, columns_of, known_in
from diffusion.data import LabelledImage

DROP_CLASS: Final = 0.1  # share of images trained without their class, which is what guidance needs
DROP_EVERYTHING: Final = 0.1
CLASS_ALONE: Final = 0.4  # share trained with the class alone, which is how the files of the classes are used
DROP_CLASS_OF_ALL, DROP_FIELD_OF_ALL = 0.4, 0.2  # of the rest
DROP_FIELD: Final = 0.1  # share trained without one field, so that the model knows each of them as unknown


NO_FIELDS: Final[Vocabulary] = MappingProxyType({})


class Conditioning(Protocol):
    """One way to condition the network on an image.

    ``vocabulary`` lists the fields of a condition that the network takes; empty for a network without a
    ``ConditionEmbedding``.
    """

    vocabulary: Vocabulary

    def config(self) -> dict[str, Any]:
        """Arguments that ``UNet2DModel`` needs for it."""

    def labels(self, images: Sequence[LabelledImage]) -> torch.Tensor:
        """One label an image, (N, ...)."""

    def drop(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor | None:
        """The labels as the network gets them, some of them withheld at random; None for a network without."""


class Unconditional:
    """Nothing: a network of one class."""

    vocabulary: Vocabulary = NO_FIELDS

    def config(self) -> dict[str, Any]:
        """No class embedding."""
        return {"num_class_embeds": None}

    def labels(self, images: Sequence[LabelledImage]) -> torch.Tensor:
        """(N,) zeros, for the balance of classes alone."""
        return torch.zeros(len(images), dtype=torch.long)

    def drop(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor | None:  # noqa: ARG002
        """None."""
        return None


class ByClass:
    """The class, and now and then no class."""

    vocabulary: Vocabulary = NO_FIELDS

    def config(self) -> dict[str, Any]:
        """One embedding a class, and one for none."""
        return {"num_class_embeds": len(CLASSES) + 1}

    def labels(self, images: Sequence[LabelledImage]) -> torch.Tensor:
        """(N,) class indices."""
        return torch.tensor([CLASSES.index(image.class_name or "") for image in images])

    def drop(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """``UNCONDITIONAL`` for a tenth of the images (Ho and Salimans 2022, arXiv 2207.12598)."""
        dropped = torch.rand(labels.shape, generator=generator) < DROP_CLASS
        return labels.masked_fill(dropped, UNCONDITIONAL)


class ByMetadata:
    """Twelve numbers, NaN if unknown."""

    vocabulary: Vocabulary = METADATA

    def config(self) -> dict[str, Any]:
        """The place of ``core.models.condition_embedding.ConditionEmbedding``."""
        return {"num_class_embeds": None, "class_embed_type": IDENTITY}

    def labels(self, images: Sequence[LabelledImage]) -> torch.Tensor:
        """(N, 12) of 0, 1 and NaN."""
        return torch.tensor([known_in(image.condition, METADATA).vector(METADATA) for image in images])

    def drop(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Each field unknown for a tenth of the images, and all of them for another tenth."""
        count = len(labels)
        everything = torch.rand(count, generator=generator) < DROP_EVERYTHING
        kept = labels.clone()
        for columns in columns_of(METADATA).values():
            dropped = everything | (torch.rand(count, generator=generator) < DROP_FIELD)
            kept[:, columns] = kept[:, columns].masked_fill(dropped[:, None], torch.nan)
        return kept


class ByEverything:
    """Class, metadata and skin tone: 25 numbers, NaN if unknown. The same weights generate classes and metadata."""

    vocabulary: Vocabulary = ALL_FIELDS

    def config(self) -> dict[str, Any]:
        """As ``ByMetadata``."""
        return ByMetadata().config()

    def labels(self, images: Sequence[LabelledImage]) -> torch.Tensor:
        """(N, 25) of 0, 1 and NaN."""
        return torch.tensor([image.condition.vector(ALL_FIELDS) for image in images])

    def drop(self, labels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Nothing known for a tenth of the images, the class alone for four tenths, and single fields for the rest."""
        count, columns = len(labels), columns_of(ALL_FIELDS)
        share = torch.rand(count, generator=generator)
        kept = labels.clone()
        for name, own in columns.items():
            likely = DROP_CLASS_OF_ALL if name == "class_name" else DROP_FIELD_OF_ALL
            dropped = torch.rand(count, generator=generator) < likely
            alone = share < DROP_EVERYTHING + CLASS_ALONE
            dropped = torch.where(alone, torch.tensor(name != "class_name"), dropped) | (share < DROP_EVERYTHING)
            kept[:, own] = kept[:, own].masked_fill(dropped[:, None], torch.nan)
        return kept


CONDITIONINGS: Final[dict[str, Conditioning]] = {
    "none": Unconditional(),
    "class": ByClass(),
    "metadata": ByMetadata(),
    "all": ByEverything(),
}
