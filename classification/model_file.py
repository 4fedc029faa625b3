"""Files of trained classifiers: our own form with a description of the outputs, and bare weights for the window."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from classification.field_names import current_names
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
    *("sizes", "epochs", "batch_size", "learning_rate", "weight_decay", "dropout"),
    *("label_smoothing", "mixup", "average", "sampling", "augmentation", "seed"),
)


@dataclass(frozen=True)
class TrainedClassifier:
    """A classifier from a file.

    Attributes:
        backbone: one of ``BACKBONES``.
        task: meaning of the outputs.
        image_size: height and width in pixels of the images that it was trained for.
        state_dict: weights, on the CPU.
        provenance: training data, settings and results.
        source: the file, or empty.
        sha256: SHA-256 of the file, or empty.
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
        """Facts about the classifier for a result."""
        facts = {"backbone": self.backbone, "task": str(self.task), "image_size": self.image_size}
        return {**facts, "checkpoint": self.source, "sha256": self.sha256, **self.provenance}


def save_classifier(classifier: TrainedClassifier, file: Path) -> None:
    """Write a classifier in our own form, atomically.

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
    """Read a classifier in our form or of another program (``core.models.resnet_weights``). No code is executed.

    ResNets of other programs need seven outputs, or the single output of melanoma-fair-xai.

    Raises:
        CheckpointError: the file is missing, damaged or foreign, or its weights do not fit its description.
        JobFailedError: there is not enough memory.
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
        raise CheckpointError(f"{file} contains a {type(content).__name__}, not a classifier; name another file.")
    return content


def _described(file: Path, content: Mapping[str, Any], sha256: str) -> TrainedClassifier:
    try:
        task = Task(content["task"]["name"], content["task"]["contrast"])
        backbone, size, weights = content["backbone"], int(content["image_size"]), content["state_dict"]
    except (KeyError, TypeError, ValueError, OverflowError, ArgumentError) as error:
        raise CheckpointError(
            f"{file} has the form {CLASSIFIER_FORMAT} but an incomplete description ({error}); train or copy it again."
        ) from error
    if not isinstance(backbone, str) or backbone not in BACKBONES:
        raise CheckpointError(f"{file} has the unknown backbone {backbone!r}; known are {', '.join(BACKBONES)}.")
    provenance = content.get("provenance", {})
    if not isinstance(weights, Mapping) or not isinstance(provenance, Mapping) or not 1 <= size <= _LARGEST:
        raise CheckpointError(f"{file} has no weights, no provenance or no image size from 1 to {_LARGEST}.")
    _check_weights(file, backbone, task, weights)
    provenance = current_names(provenance)
    return TrainedClassifier(backbone, task, size, weights, provenance, str(file), sha256)


def _check_weights(file: Path, backbone: str, task: Task, weights: Mapping[str, torch.Tensor]) -> None:
    check_tensors(file, weights)
    expected = _shapes(backbone, len(task.classes))
    found = {name: tensor.shape for name, tensor in weights.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise CheckpointError(f"{file} is not a {backbone} with {len(task.classes)} outputs: {wrong[0]} does not fit.")
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{file} contains values in {name} that are not numbers; train it again.")


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
    """The task of the outputs, and the head for them.

    One output with a sigmoid, z, is two outputs with a softmax, 0 and z.
    """
    if found.outputs == 1 and found.prefix.endswith(_MELANOMA_FAIR_XAI):
        head = {name: torch.cat([torch.zeros_like(tensor), tensor]) for name, tensor in found.head.items()}
        return Task("binary", "melanoma"), {f"fc.{name}": tensor for name, tensor in head.items()}
    if names is None and found.outputs != len(CLASSES):
        under = f" under the prefix {found.prefix!r}" if found.prefix else ""
        raise ForeignWeightsError(
            f"it is a {RESNETS[found.backbone]} of {found.outputs} outputs{under}, and it does not name their "
            f"classes; {len(CLASSES)} outputs are known, or a list of names under the key classes"
        )
    rows, _ = rows_of_classes(names or CLASSES, found.outputs)
    return Task("isic7"), {f"fc.{name}": tensor[rows] for name, tensor in found.head.items()}


def export_classifier(classifier: TrainedClassifier, file: Path, *, demonstration: bool = False) -> None:
    """Write ``classifier.pth`` for the explanations: the weights of a ResNet-18 with seven outputs, in fp16.

    Args:
        classifier: the classifier to export.
        file: file to write.
        demonstration: mark the weights as the bundled demonstration, so that every result is labelled accordingly, and
            add their provenance; otherwise the file contains only the weights.

    Raises:
        ArgumentError: backbone, task or image size are not those that the explanations use.
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
    """Refuse a classifier that the explanations cannot use. Call it before a training, which takes hours.

    Raises:
        ArgumentError: backbone, task or image size are not those that the explanations use.
    """
    if (backbone, task.name, image_size) != (EXPORTED_BACKBONE, "isic7", EXPORTED_SIZE):
        raise ArgumentError(
            f"Only a {EXPORTED_BACKBONE} of the task isic7 at {EXPORTED_SIZE} px can be exported for the explanations; "
            f"this is a {backbone} of the task {task} at {image_size} px. Omit --export, or change the settings."
        )


def require_writable_file(file: Path) -> None:
    """Check that a file can be written. Call it before a training, which takes hours.

    Raises:
        OutputFolderError: the file is a folder, or its folder cannot be created or written.
    """
    if file.is_dir():
        raise OutputFolderError(f"{file} is a folder; name a file, for example {file / 'classifier.pth'}.")
    require_writable(file.parent, "name a file in another folder")


def teacher_of(facts: Mapping[str, Any]) -> str | None:
    """The teacher that a classifier learnt from, according to ``TrainedClassifier.describe``.

    Returns:
        The teacher's file; of an absolute path only the last folder and the name, because reports are published. Empty
        if the teacher is not named, as in a published file. None if there was no teacher.
    """
    training = facts.get("training", {})
    if training.get("teacher"):
        file = Path(training["teacher"])
        return str(Path(*file.parts[-2:]) if file.is_absolute() else file)
    return "" if training.get("learns_from_a_teacher") else None


def _publishable(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Provenance without paths, because a published file must not reveal the folders of this machine."""
    job = provenance.get("training", {})
    training = {name: job[name] for name in _RECIPE if name in job}
    return {**provenance, "training": {**training, "learns_from_a_teacher": bool(job.get("teacher"))}}


def _half(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in fp16, if it can represent the values: half the size, and probabilities change by less than 0.01."""
    half = tensor.half() if tensor.is_floating_point() else tensor
    return half if torch.isfinite(half).all() else tensor


def _saved(content: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    return buffer.getvalue()
