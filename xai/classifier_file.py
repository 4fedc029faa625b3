"""The weights of a ResNet in a file, read without executing anything in it; a head that does not fit is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from core.classes import CLASSES
from core.download.published import RESNETS, read_published
from core.errors import CheckpointError, ClassifierError, DownloadError
from core.models.checkpoint_checks import check_tensors
from core.models.checkpoints import load_file_safely
from core.models.resnet_weights import (
    ForeignWeightsError,
    ResNetWeights,
    class_names_of,
    find_resnet,
)
from core.models.state_dicts import find_weights
from core.models.torchvision_shim import declare_missing_operators
from core.paths import CLASSIFIER_FILE
from core.real_data.output_names import rows_of_classes

declare_missing_operators()
from torchvision import models  # noqa: E402
from torchvision.models import ResNet, ResNet18_Weights  # noqa: E402

IMAGENET: Final = f"torchvision {ResNet18_Weights.IMAGENET1K_V1}"
HEAD: Final = ("fc.weight", "fc.bias")
_HEAD_SEED: Final = 0
_NOTHING_THERE: Final = (
    f"There is no {CLASSIFIER_FILE} in the checkpoints folder, and the ImageNet weights of torchvision cannot be "
    f"loaded ({{reason}}); put a {CLASSIFIER_FILE} into the folder to get overlays."
)


@dataclass(frozen=True)
class ClassifierWeights:
    """Weights by the names of torchvision's ResNets, float32, on the CPU; without a head if none fits.

    Attributes:
        state_dict: the weights.
        demonstration: whether they are the bundled ones.
        backbone: one of ``core.models.resnet_weights.RESNETS``.
        notices: sentences about what of the file is not used.
    """

    state_dict: dict[str, torch.Tensor] = field(repr=False)
    demonstration: bool = False
    backbone: str = "resnet18"
    notices: tuple[str, ...] = ()

    @property
    def has_head(self) -> bool:
        """Return whether the seven outputs are trained."""
        return all(name in self.state_dict for name in HEAD)

    def build(self) -> ResNet:
        """Return the network in eval mode without gradients; a missing head is initialised with a fixed seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_HEAD_SEED)
            model: ResNet = getattr(models, self.backbone)(num_classes=len(CLASSES))
        model.load_state_dict({**model.state_dict(), **self.state_dict})
        return model.requires_grad_(False).eval()


def read_weights(path: Path) -> ClassifierWeights:
    """Read a bare state_dict, or the ``state_dict``, ``model_state_dict`` or averaged weights of a training file.

    The weights may be those of a ResNet-18, -34, -50 or -101 under any prefix. Names of classes in the file decide
    which output is which; without names, seven outputs are the seven classes in their order.

    Raises:
        ClassifierError: the file is damaged, has another architecture, other classes or numbers that are not finite,
            or contains objects other than tensors and plain values.
        JobFailedError: there is not enough memory.
    """
    content = _load(path)
    if not isinstance(content, Mapping):
        raise ClassifierError(f"{path} contains a {type(content).__name__}, not the weights of a classifier.")
    found, _ = find_weights(content, lambda: [name for name, _ in _empty_model().named_parameters()])
    if found is None:
        raise ClassifierError(f"{path} contains no classifier weights with a known name.")
    provenance = content.get("provenance")
    demonstration = isinstance(provenance, Mapping) and provenance.get("demonstration") is True
    try:
        check_tensors(path, found)
    except CheckpointError as error:
        raise ClassifierError(str(error)) from error
    return _checked(str(path), found, class_names_of(content), demonstration)


def imagenet_weights() -> ClassifierWeights:
    """Load the ImageNet ResNet-18 of torchvision from its cache or its server, without the head of 1000 classes.

    Raises:
        ClassifierError: the weights are in neither.
    """
    try:
        weights = read_published(RESNETS["resnet18"])
    except DownloadError as error:
        raise ClassifierError(_NOTHING_THERE.format(reason=error)) from error
    return _checked(IMAGENET, weights)


def _load(path: Path) -> Any:
    try:
        return load_file_safely(path)
    except CheckpointError as error:
        raise ClassifierError(str(error)) from error


def _checked(
    source: str, weights: Mapping[str, torch.Tensor], names: Sequence[str] | None = None, demonstration: bool = False
) -> ClassifierWeights:
    """The whole body in float32, and the head if it has the seven outputs."""
    try:
        found = find_resnet(weights)
        head, notices = _head(found, names)
    except ForeignWeightsError as error:
        raise ClassifierError(
            f"{source} is not a ResNet-18 or another ResNet that can be explained: {error}."
        ) from error
    checked = {name: tensor.float() for name, tensor in {**found.body, **head}.items()}
    spoiled = [name for name, tensor in checked.items() if not tensor.isfinite().all()]
    if spoiled:
        raise ClassifierError(f"{source} is damaged: the weight {spoiled[0]} contains numbers that are not finite.")
    if found.unused and source != IMAGENET:
        notices.append(f"{Path(source).name} also holds weights that are not used, {found.unused[0]} among them.")
    return ClassifierWeights(checked, demonstration, found.backbone, tuple(notices))


def _head(found: ResNetWeights, names: Sequence[str] | None) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The rows of the seven classes, and a sentence about outputs that are left out; nothing if none fits."""
    if not found.head or (names is None and found.outputs != len(CLASSES)):
        return {}, []
    rows, others = rows_of_classes(names or CLASSES, found.outputs)
    head = dict(zip(HEAD, (found.head["weight"][rows], found.head["bias"][rows]), strict=True))
    return head, [f"The classifier's outputs {', '.join(others)} are left out."] if others else []


def _empty_model() -> ResNet:
    with torch.device("meta"):
        return models.resnet18(num_classes=len(CLASSES))
