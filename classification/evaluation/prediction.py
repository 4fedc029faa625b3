"""Predictions of a classifier and the table for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from classification.data.collection import Collection, LabelledImage
from classification.data.pixel_cache import Pixels, decode, left_out
from classification.events import Counted, Emit, Note, discard
from classification.model_file import TrainedClassifier
from classification.networks import normalise
from classification.tasks import Task
from classification.training.batches import EvaluationBatches
from core.errors import JobFailedError
from core.io.atomic_files import write_whole
from core.io.plain_text import encode_csv
from core.models.devices import resolve_device

_BATCH: Final = 64


@dataclass(frozen=True)
class Predictions:
    """Images of one part and the predictions of a classifier.

    Attributes:
        task: meaning of the outputs.
        images: the images.
        probabilities: float64 (N, C); rows sum to 1.
    """

    task: Task
    images: tuple[LabelledImage, ...]
    probabilities: np.ndarray

    @property
    def lesions(self) -> list[str]:
        """The lesion of each image."""
        return [image.lesion_id for image in self.images]

    @property
    def positive(self) -> np.ndarray:
        """Whether the answer to the contrast is yes, bool (N,)."""
        return np.array([self.task.is_positive(image.class_name) for image in self.images])

    @property
    def scores(self) -> np.ndarray:
        """Probability of yes, (N,)."""
        return self.task.positive_probability(self.probabilities)

    @property
    def truth(self) -> np.ndarray:
        """Output index of each image's label, (N,)."""
        return np.array([self.task.index(image.class_name) for image in self.images])

    def chosen(self, mask: np.ndarray) -> Predictions:
        """The images for which ``mask``, bool (N,), is true."""
        images = tuple(image for image, there in zip(self.images, mask, strict=True) if there)
        return Predictions(self.task, images, self.probabilities[mask])

    def write(self, file: Path, threshold: float) -> None:
        """Write a CSV with one row per image."""
        outputs = [f"p({name})" for name in self.task.classes]
        rows = [["image_id", "lesion_id", "class", *outputs, f"p({self.task.contrast})", "called_positive"]]
        for image, row, score in zip(self.images, self.probabilities, self.scores, strict=True):
            numbers = [f"{value:.6f}" for value in (*row, score)]
            called = str(int(score >= threshold))
            rows.append([image.image_id, image.lesion_id, image.class_name, *numbers, called])
        write_whole(file, encode_csv(rows))


def predict(
    classifier: TrainedClassifier,
    collection: Collection,
    images: Sequence[LabelledImage],
    *,
    task: Task | None = None,
    augmented: bool = False,
    device: str = "auto",
    cache: Path,
    emit: Emit = discard,
) -> Predictions:
    """Classify images of a collection, in fp32.

    Args:
        classifier: the classifier; it receives images at its own size.
        collection: the collection of the images; all of it is decoded once.
        images: the images to classify.
        task: the meaning of the outputs, to measure them by another contrast.
        augmented: average the probabilities over the eight symmetries of the square.
        device: auto, cpu or cuda:N.
        cache: folder for decoded images.
        emit: receives progress events, and the names of unreadable images.

    Returns:
        The predictions for the readable images, in their order.

    Raises:
        JobFailedError: a probability is not a number, or none of the images can be read.
        DeviceError: the device does not exist.
    """
    resolved = resolve_device(device)
    network: Any = classifier.build().to(resolved)
    row_of = {image.image_id: row for row, image in enumerate(collection.images)}
    decoded = decode(collection.images, classifier.image_size, cache, emit)
    damaged = list(dict.fromkeys(image for image in images if row_of[image.image_id] in decoded.damaged))
    images = [image for image in images if row_of[image.image_id] not in decoded.damaged]
    if not images:
        raise JobFailedError(f"None of the {len(damaged)} images can be read; the first is {damaged[0].path}.")
    rows = [row_of[image.image_id] for image in images]
    batches = EvaluationBatches(Pixels((decoded.path,)), rows, (), _BATCH)
    found = []
    for number, (batch, _) in enumerate(batches):
        found.append(_probabilities(network, batch.to(resolved), augmented=augmented))
        emit(Counted("images classified", min(len(images), (number + 1) * _BATCH), len(images)))
    probabilities = np.concatenate(found)
    if not np.isfinite(probabilities).all():
        name = images[int(np.flatnonzero(~np.isfinite(probabilities).all(axis=1))[0])].image_id
        raise JobFailedError(f"{classifier.source} gives {name} a probability that is not a number; train it again.")
    if damaged:
        emit(Note(left_out(damaged, "images")))
    return Predictions(task or classifier.task, tuple(images), probabilities)


@torch.inference_mode()
def _probabilities(network: Any, images: torch.Tensor, *, augmented: bool) -> np.ndarray:
    views = symmetries(images) if augmented else [images]
    answers = [network(normalise(view)).double().softmax(dim=1) for view in views]
    return torch.stack(answers).mean(dim=0).cpu().numpy()


def symmetries(images: torch.Tensor) -> list[torch.Tensor]:
    """The eight rotations and reflections of images (B, S, S, 3)."""
    turned = [images.rot90(turns, (1, 2)) for turns in range(4)]
    return [*turned, *(view.flip(2) for view in turned)]
