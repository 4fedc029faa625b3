"""What a classifier says of images, and the table that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from classification.data.collection import Collection, LabelledImage
from classification.data.pixel_cache import Pixels, decode, left_out
from classification.events import Counted, Note, Tell, nobody
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
    """Images of one part with what a classifier says of them.

    Attributes:
        task: what the outputs mean.
        images: in order.
        probabilities: float64 (N, C), rows add up to one.
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
        """Whether the contrast's answer is yes, bool (N,)."""
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
        """Those images for which ``mask``, bool (N,), is true."""
        images = tuple(image for image, there in zip(self.images, mask, strict=True) if there)
        return Predictions(self.task, images, self.probabilities[mask])

    def write(self, file: Path, threshold: float) -> None:
        """Write a CSV, one row an image."""
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
    tell: Tell = nobody,
) -> Predictions:
    """Ask a classifier about images of a collection, in fp32.

    Args:
        classifier: is asked at its own image size.
        collection: the images' own; it is decoded as a whole, once.
        images: which of them.
        task: the classifier's outputs, measured by another contrast.
        augmented: average the probabilities over the eight symmetries of the square.
        device: auto, cpu or cuda:N.
        cache: where decoded images are kept.
        tell: hears how far it is, and which images cannot be read.

    Returns:
        The answers for the images that can be read, in their order.

    Raises:
        JobFailedError: a probability is not a number, or none of the images can be read.
        DeviceError: there is no such device.
    """
    place = resolve_device(device)
    network: Any = classifier.build().to(place)
    row_of = {image.image_id: row for row, image in enumerate(collection.images)}
    decoded = decode(collection.images, classifier.image_size, cache, tell)
    damaged = list(dict.fromkeys(image for image in images if row_of[image.image_id] in decoded.damaged))
    images = [image for image in images if row_of[image.image_id] not in decoded.damaged]
    if not images:
        raise JobFailedError(f"None of the {len(damaged)} images can be read; the first is {damaged[0].path}.")
    rows = [row_of[image.image_id] for image in images]
    batches = EvaluationBatches(Pixels((decoded.path,)), rows, (), _BATCH)
    found = []
    for number, (batch, _) in enumerate(batches):
        found.append(_probabilities(network, batch.to(place), augmented=augmented))
        tell(Counted("images classified", min(len(images), (number + 1) * _BATCH), len(images)))
    probabilities = np.concatenate(found)
    if not np.isfinite(probabilities).all():
        name = images[int(np.flatnonzero(~np.isfinite(probabilities).all(axis=1))[0])].image_id
        raise JobFailedError(f"{classifier.source} gives {name} a probability that is not a number; train it again.")
    if damaged:
        tell(Note(left_out(damaged, "images")))
    return Predictions(task or classifier.task, tuple(images), probabilities)


@torch.inference_mode()
def _probabilities(network: Any, images: torch.Tensor, *, augmented: bool) -> np.ndarray:
    views = symmetries(images) if augmented else [images]
    answers = [network(normalise(view)).double().softmax(dim=1) for view in views]
    return torch.stack(answers).mean(dim=0).cpu().numpy()


def symmetries(images: torch.Tensor) -> list[torch.Tensor]:
    """The eight ways to turn and mirror images (B, S, S, 3)."""
    turned = [images.rot90(turns, (1, 2)) for turns in range(4)]
    return [*turned, *(view.flip(2) for view in turned)]
