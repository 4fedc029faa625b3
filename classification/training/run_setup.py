"""Set up a training run: images, labels, parts, batches and the initial network."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Mapping, Sequence

import torch

from classification.data.collection import (
    Collection,
    LabelledImage,
    check_every_class,
    labels_of,
    open_collection,
    read_synthetic,
)
from classification.data.groups import groups_of
from classification.data.pixel_cache import Pixels, decode, size_of
from classification.data.split_column import TEST, TRAINING, VALIDATION
from classification.data.splits import images_of, parts_of, refuse_leak
from classification.events import Emit, Note
from classification.model_file import TrainedClassifier, load_classifier, save_classifier
from classification.networks import AtSize, build_network, load_imagenet
from classification.tasks import Task
from classification.training.augmentation import source_size
from classification.training.batches import (
    EpochBatches,
    EvaluationBatches,
    TrainingBatches,
    class_weights,
    drawn_shares,
    group_weights,
)
from classification.training.callbacks import unwritable
from classification.training.job import BEST, SPLIT, TrainingJob
from classification.training.learner import Learner
from classification.training.stages import Stages
from core.errors import ArgumentError
from core.io.atomic_files import sha256_of
from core.models.devices import resolve_device, resolve_precision

import lightning  # isort: skip - after the learner, which makes torchvision importable


class Run:
    """Everything that a run needs, created from its job before the first step."""

    def __init__(self, job: TrainingJob, emit: Emit) -> None:
        self.job, self.emit = job, emit
        self.collection: Collection = open_collection(job.data)
        emit(Note(self.collection.describe()))
        self.parts: Mapping[str, str] = parts_of(
            self.collection, job.split, job.seed, test_unseen_by_generator=job.test_unseen_by_generator
        )
        self.task = Task(job.task, job.contrast)
        self.training = images_of(self.collection, self.parts, TRAINING)
        self.validation = images_of(self.collection, self.parts, VALIDATION)
        check_every_class(self.training, self.task, TRAINING)
        check_every_class(self.validation, self.task, VALIDATION)
        kept = [*self.validation, *images_of(self.collection, self.parts, TEST)]
        for other in (job.start, job.teacher):
            if other:
                refuse_leak(other.parent / SPLIT, kept, str(other))
        self.synthetic = read_synthetic(job.synthetic) if job.synthetic else ()
        self.damaged: tuple[LabelledImage, ...] = ()
        self.device = resolve_device(job.device)
        self.precision = resolve_precision(job.precision, self.device)
        self.network, self.initial_weights = _initial_network(job, self.task)
        emit(Note(self.initial_weights))
        self.per_epoch = math.ceil((len(self.training) + len(self.synthetic)) / job.batch_size)
        self.stages = Stages(job.sizes, tuple(epochs * self.per_epoch for epochs in job.epochs))

    def batches(self, trainer: lightning.Trainer) -> tuple[EpochBatches, EvaluationBatches, torch.Tensor]:
        """Training and validation batches, and the share of each class among the drawn images."""
        job, real = self.job, len(self.collection.images)
        pixels, damaged = self._decoded(self._source_size(), self.collection.images, self.synthetic)
        row_of = {image.image_id: row for row, image in enumerate(self.collection.images)}
        drawn_from = [(row_of[image.image_id], image) for image in self.training]
        drawn_from += list(enumerate(self.synthetic, real))
        rows = [row for row, _ in drawn_from if row not in damaged]
        shown = [image for row, image in drawn_from if row not in damaged]
        if not shown:
            raise ArgumentError(f"None of the {len(drawn_from)} images of the part {TRAINING!r} can be read.")
        labels, weights = labels_of(shown, self.task), torch.zeros(len(pixels), dtype=torch.float64)
        weights[rows] = self._weights(shown, labels)
        all_labels = [0] * len(pixels)
        for row, label in zip(rows, labels, strict=True):
            all_labels[row] = label
        drawn = TrainingBatches(
            pixels,
            all_labels,
            weights,
            job.batch_size,
            job.seed,
            self.stages,
            trainer.global_rank,
            trainer.world_size,
            job.augmentation,
        )
        judged, damaged_at_size = self._decoded(job.sizes[-1], self.collection.images)
        readable = [image for image in self.validation if row_of[image.image_id] not in damaged_at_size]
        if not readable:
            raise ArgumentError(f"None of the images of the part {VALIDATION!r} can be read.")
        checked = readable[trainer.global_rank :: trainer.world_size]
        self.damaged = tuple(
            image for row, image in enumerate((*self.collection.images, *self.synthetic)) if row in damaged
        )
        validation = EvaluationBatches(
            judged,
            [row_of[image.image_id] for image in checked],
            labels_of(checked, self.task),
            job.batch_size,
        )
        epochs = EpochBatches(drawn, self.per_epoch, self._workers(), lambda: trainer.global_step)
        return epochs, validation, drawn_shares(labels, weights[rows], len(self.task.classes))

    def _decoded(self, size: int, *sets: Sequence[LabelledImage]) -> tuple[Pixels, set[int]]:
        """The images of several sets as one sequence, and the indices of the unreadable ones."""
        files = [decode(images, size, self.job.cache, self.emit) for images in sets if images]
        starts = itertools.accumulate((len(images) for images in sets if images), initial=0)
        damaged = {start + row for start, file in zip(starts, files, strict=False) for row in file.damaged}
        return Pixels(tuple(file.path for file in files)), damaged

    def _source_size(self) -> int:
        """Size of the images that crops are taken from; files are not enlarged, because that adds no detail."""
        size = self.job.sizes[-1]
        for image in self.collection.images:
            with contextlib.suppress(ArgumentError):  # named when it is decoded
                return max(size, min(source_size(size), *size_of(image.path)))
        return size

    def _workers(self) -> int:
        if self.job.workers is not None:
            return self.job.workers
        return 0 if self.device.type == "cpu" else min(8, max(0, (os.cpu_count() or 1) - 1))

    def _weights(self, shown: Sequence[LabelledImage], labels: Sequence[int]) -> torch.Tensor:
        weights = class_weights(labels, len(self.task.classes), self.job.sampling)
        if self.job.reweigh:
            weights = weights * group_weights(labels, groups_of(shown, self.job.reweigh))
        return weights

    def write_best(self, learner: Learner, found: Mapping[str, float]) -> None:
        """Save the averaged weights as a classifier."""
        provenance = {
            "training": self.job.to_json(),
            "training_images": len(self.training),
            "validation_images": len(self.validation),
            "synthetic_images": len(self.synthetic),
            "initial_weights": self.initial_weights,
            "precision": self.precision,
            "split_sha256": sha256_of(self.job.output / SPLIT),
            "torch": str(torch.__version__),
            **found,
        }
        classifier = TrainedClassifier(
            self.job.backbone, self.task, self.job.sizes[-1], learner.averaged_weights(), provenance
        )
        try:
            save_classifier(classifier, self.job.output / BEST)
        except OSError as error:
            raise unwritable(self.job.output / BEST, error) from error


def _initial_network(job: TrainingJob, task: Task) -> tuple[torch.nn.Module, str]:
    """The network before the first step, and a sentence about the origin of its weights."""
    torch.manual_seed(job.seed)
    network = build_network(job.backbone, len(task.classes), job.dropout)
    if job.start:
        found = load_classifier(job.start)
        own = network.state_dict()
        fitting = {name: tensor.float() for name, tensor in found.state_dict.items() if own[name].shape == tensor.shape}
        network.load_state_dict({**own, **fitting})
        head = "" if len(fitting) == len(own) else f", with a new head because it was trained on {found.task}"
        return network, f"Training starts from {job.start}{head}."
    if not job.imagenet:
        return network, "Training from scratch, as requested."
    return network, load_imagenet(network, job.backbone)[1]


def load_teacher(job: TrainingJob, task: Task) -> torch.nn.Module | None:
    """The teacher, if the job names one; it receives images at its own size.

    Raises:
        ArgumentError: the teacher has other outputs.
        CheckpointError: the teacher cannot be read.
    """
    if job.teacher is None:
        return None
    found = load_classifier(job.teacher)
    if found.task.classes != task.classes:
        raise ArgumentError(f"The teacher {job.teacher} was trained on {found.task}, not on {task}; name another one.")
    return AtSize(found.build(), found.image_size)
