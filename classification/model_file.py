"""Trained classifiers as files: our own form, which says what its outputs mean, and the bare weights for the window."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from classification.file_output import plain_failures
from classification.networks import build_network
from classification.tasks import BACKBONES, Task
from core.classes import CLASSES
from core.errors import ArgumentError, CheckpointError, OutputFolderError
from core.io.atomic_files import require_writable, sha256_of, write_whole
from core.models.checkpoint_checks import check_tensors
from core.models.checkpoints import load_file_safely
from core.models.resnet_weights import (
    RESNETS,
    ForeignWeightsError,
    ResNetWeights,
    class_names_of,
    expected_body,
    find_resnet,
)
from core.models.state_dicts import find_weights
from core.real_data.output_names import rows_of_classes

CLASSIFIER_FORMAT: Final = "isicgui.classifier/1"
EXPORTED_BACKBONE: Final = "resnet18"
EXPORTED_SIZE: Final = 224
_MELANOMA_FAIR_XAI: Final = "base_model."
"""The prefix of that program's classifiers; their single output answers melanoma (1) or nevus (0)."""
_LARGEST: Final = 4096
_RECIPE: Final = (
    *("sizes", "passes", "batch_size", "learning_rate", "weight_decay", "dropout"),
    *("label_smoothing", "mixup", "average", "sampling", "augmentation", "seed"),
)


@dataclass(frozen=True)
class TrainedClassifier:
    """A classifier as a file holds it.

    Attributes:
        backbone: one of ``BACKBONES``.
        task: what its outputs mean.
        image_size: height and width of the images that it was made for, in pixels.
        state_dict: weights, on the CPU.
        provenance: what it was trained on, how, and what came out.
        source: the file, or empty.
        sha256: of the file, or empty.
    """

    backbone: str
    task: Task
    image_size: int
    state_dict: Mapping[str, torch.Tensor] = field(repr=False)
    provenance: Mapping[str, Any]
    source: str = ""
    sha256: str = ""

    def build(self) -> nn.Module:
        """The network in eval mode, float32, channels-last, on the CPU."""
        network = build_network(self.backbone, len(self.task.classes))
        network.load_state_dict({name: tensor.float() for name, tensor in self.state_dict.items()})
        network.requires_grad_(False).eval()
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def describe(self) -> dict[str, Any]:
        """What a result says of the classifier that it was made with."""
        facts = {"backbone": self.backbone, "task": str(self.task), "image_size": self.image_size}
        return {**facts, "checkpoint": self.source, "sha256": self.sha256, **self.provenance}


def save_classifier(classifier: TrainedClassifier, file: Path) -> None:
    """Write our own form; the file is whole or not there.

    Raises:
        OSError: the folder cannot be written.
    """
    content = {
        "format": CLASSIFIER_FORMAT,
        "backbone": classifier.backbone,
        "task": classifier.task.to_json(),
        "image_size": classifier.image_size,
        "state_dict": dict(classifier.state_dict),
        "provenance": dict(classifier.provenance),
    }
    write_whole(file, _saved(content))


def load_classifier(file: Path) -> TrainedClassifier:
    """Read a classifier of our own form or of another program (``core.models.resnet_weights``). Nothing is executed.

    Of other programs' ResNets, the seven outputs are known, and the single output of melanoma-fair-xai.

    Raises:
        CheckpointError: missing, damaged, foreign, or its weights do not fit what it says of itself.
        JobFailedError: memory does not suffice.
    """
    content = _load(file)
    sha256 = sha256_of(file)
    if content.get("format") == CLASSIFIER_FORMAT:
        return _described(file, content, sha256)
    check_tensors(file, find_weights(content, list)[0] or {})
    return _foreign(file, content, sha256)


def _load(file: Path) -> Mapping[str, Any]:
    content = load_file_safely(file)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{file} holds a {type(content).__name__}, not a classifier.")
    return content


def _described(file: Path, content: Mapping[str, Any], sha256: str) -> TrainedClassifier:
    try:
        task = Task(content["task"]["name"], content["task"]["contrast"])
        backbone, size, weights = content["backbone"], int(content["image_size"]), content["state_dict"]
    except (KeyError, TypeError, ValueError, OverflowError, ArgumentError) as error:
        raise CheckpointError(
            f"{file} has the form {CLASSIFIER_FORMAT} but does not say what it is ({error})."
        ) from error
    if not isinstance(backbone, str) or backbone not in BACKBONES:
        raise CheckpointError(f"{file} names the unknown backbone {backbone!r}; known are {', '.join(BACKBONES)}.")
    provenance = content.get("provenance", {})
    if not isinstance(weights, Mapping) or not isinstance(provenance, Mapping) or not 1 <= size <= _LARGEST:
        raise CheckpointError(f"{file} has no weights, no provenance or no image size from 1 to {_LARGEST}.")
    _check_weights(file, backbone, task, weights)
    return TrainedClassifier(backbone, task, size, weights, provenance, str(file), sha256)


def _check_weights(file: Path, backbone: str, task: Task, weights: Mapping[str, torch.Tensor]) -> None:
    check_tensors(file, weights)
    expected = _shapes(backbone, len(task.classes))
    found = {name: tensor.shape for name, tensor in weights.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise CheckpointError(f"{file} is not a {backbone} of {len(task.classes)} outputs: {wrong[0]} does not fit.")
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{file} holds values that are not numbers in {name}; train it again.")


def _shapes(backbone: str, classes: int) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in build_network(backbone, classes).state_dict().items()}


def _foreign(file: Path, content: Mapping[str, Any], sha256: str) -> TrainedClassifier:
    weights, _ = find_weights(content, list)
    if weights is None:
        raise CheckpointError(
            f"{file} is neither a classifier of the form {CLASSIFIER_FORMAT} nor the weights of a ResNet."
        )
    try:
        found = find_resnet(weights)
        task, head = _head(found, class_names_of(content))
    except ForeignWeightsError as error:
        raise CheckpointError(
            f"{file} is neither a classifier of the form {CLASSIFIER_FORMAT} nor the weights of a ResNet: {error}."
        ) from error
    state_dict = {**_with_counters(found), **head}
    _check_weights(file, found.backbone, task, state_dict)
    facts = {"unused_weights": list(found.unused)} if found.unused else {}
    return TrainedClassifier(found.backbone, task, EXPORTED_SIZE, state_dict, facts, str(file), sha256)


def _with_counters(found: ResNetWeights) -> dict[str, torch.Tensor]:
    """The body; counters of batch norms that some files leave out are zero."""
    shapes, _ = expected_body(found.backbone)
    return {name: found.body.get(name, torch.zeros(shape, dtype=torch.long)) for name, shape in shapes.items()}


def _head(found: ResNetWeights, names: Sequence[str] | None) -> tuple[Task, dict[str, torch.Tensor]]:
    """What the outputs mean, and the head for them.

    One output with a sigmoid, z, is two outputs with a softmax, 0 and z.
    """
    if found.outputs == 1 and found.prefix.endswith(_MELANOMA_FAIR_XAI):
        head = {name: torch.cat([torch.zeros_like(tensor), tensor]) for name, tensor in found.head.items()}
        return Task("binary", "melanoma"), {f"fc.{name}": tensor for name, tensor in head.items()}
    if names is None and found.outputs != len(CLASSES):
        under = f" under the prefix {found.prefix!r}" if found.prefix else ""
        raise ForeignWeightsError(
            f"it is a {RESNETS[found.backbone]} of {found.outputs} outputs{under}, and nothing in it says what they "
            f"mean; {len(CLASSES)} outputs are known, or a list of names under the key classes"
        )
    rows, _ = rows_of_classes(names or CLASSES, found.outputs)
    return Task("isic7"), {f"fc.{name}": tensor[rows] for name, tensor in found.head.items()}


def export_classifier(classifier: TrainedClassifier, file: Path, *, demonstration: bool = False) -> None:
    """Write ``classifier.pth`` for the explanations: the weights of a ResNet-18 with seven outputs, in fp16.

    Args:
        classifier: what is exported.
        file: where to.
        demonstration: mark the weights as the bundled ones, so that every result says so, and say beside them how they
            were made; otherwise the file holds the bare weights.

    Raises:
        ArgumentError: another backbone or task, or another image size than the explanations use.
        JobFailedError: the file cannot be written.
    """
    check_exportable(classifier.backbone, classifier.task, classifier.image_size)
    halves: dict[str, Any] = {name: _half(tensor) for name, tensor in classifier.state_dict.items()}
    if demonstration:
        provenance = {**_publishable(classifier.provenance), "demonstration": True}
        halves = {"state_dict": halves, "classes": list(CLASSES), "provenance": provenance}
    with plain_failures(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, _saved(halves))


def check_exportable(backbone: str, task: Task, image_size: int) -> None:
    """Refuse what the explanations cannot use; asked before a training, so that hours do not end in a refusal.

    Raises:
        ArgumentError: another backbone or task, or another image size than the explanations use.
    """
    if (backbone, task.name, image_size) != (EXPORTED_BACKBONE, "isic7", EXPORTED_SIZE):
        raise ArgumentError(
            f"Only a {EXPORTED_BACKBONE} of the task isic7 at {EXPORTED_SIZE} px can be exported for the explanations; "
            f"this is a {backbone} of the task {task} at {image_size} px. Leave --export out, or train such a one."
        )


def require_writable_file(file: Path) -> None:
    """Find out that a file cannot be written; asked before a training, so that hours do not end in it.

    Raises:
        OutputFolderError: it is a folder, or its own folder cannot be made or written.
    """
    if file.is_dir():
        raise OutputFolderError(f"{file} is a folder; name a file, as in {file / 'classifier.pth'}.")
    require_writable(file.parent, "name a file in another folder")


def teacher_of(facts: Mapping[str, Any]) -> str | None:
    """Whose answers a classifier learnt as well, from what ``TrainedClassifier.describe`` says of it.

    Returns:
        The teacher's file, of an absolute path the last folder and the name, because reports are published; empty where
        there was one that is not named, as in a published file; None where there was none.
    """
    training = facts.get("training", {})
    if training.get("teacher"):
        file = Path(training["teacher"])
        return str(Path(*file.parts[-2:]) if file.is_absolute() else file)
    return "" if training.get("learns_from_a_teacher") else None


def _publishable(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Without paths: a published file must not tell how its maker's disk is laid out."""
    job = provenance.get("training", {})
    training = {name: job[name] for name in _RECIPE if name in job}
    return {**provenance, "training": {**training, "learns_from_a_teacher": bool(job.get("teacher"))}}


def _half(tensor: torch.Tensor) -> torch.Tensor:
    """In fp16 where that can hold it: half the bytes, and no probability changes in its second digit."""
    half = tensor.half() if tensor.is_floating_point() else tensor
    return half if torch.isfinite(half).all() else tensor


def _saved(content: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    return buffer.getvalue()
