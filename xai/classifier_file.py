"""The weights of a ResNet-18 in a file, read without executing anything in it; a head that does not fit is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from core.classes import CLASSES
from core.download.published import RESNETS, read_published
from core.errors import CheckpointError, ClassifierError, DownloadError
from core.models.checkpoint_checks import check_tensors
from core.models.checkpoints import load_file_safely
from core.models.state_dicts import find_weights, normalise_names
from core.models.torchvision_shim import declare_missing_operators
from core.paths import CLASSIFIER_FILE

declare_missing_operators()
from torchvision.models import ResNet, ResNet18_Weights, resnet18  # noqa: E402

IMAGENET: Final = f"torchvision {ResNet18_Weights.IMAGENET1K_V1}"
HEAD: Final = ("fc.weight", "fc.bias")
_COUNTER: Final = ".num_batches_tracked"  # of a batch norm; plays no part in eval mode
_HEAD_SEED: Final = 0
_NOTHING_THERE: Final = (
    f"There is no {CLASSIFIER_FILE} in the checkpoints folder, and torchvision's ImageNet weights cannot be had "
    f"({{reason}}); put a {CLASSIFIER_FILE} there to get overlays."
)


@dataclass(frozen=True)
class ClassifierWeights:
    """Weights by the names of torchvision's ResNet-18, float32, on the CPU; without a head where none fits."""

    state_dict: dict[str, torch.Tensor] = field(repr=False)
    demonstration: bool = False

    @property
    def has_head(self) -> bool:
        """Whether the seven outputs were learnt."""
        return all(name in self.state_dict for name in HEAD)

    def build(self) -> ResNet:
        """The network in eval mode, without gradients of its weights; a missing head is drawn from a fixed seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_HEAD_SEED)
            model = resnet18(num_classes=len(CLASSES))
        model.load_state_dict({**model.state_dict(), **self.state_dict})
        return model.requires_grad_(False).eval()


def read_weights(path: Path) -> ClassifierWeights:
    """Read a bare state_dict, or the ``state_dict``, ``model_state_dict`` or averaged weights of a training file.

    Raises:
        ClassifierError: damaged, of another architecture, of other classes, with numbers that are not finite, or
            holding anything but tensors and plain values.
        JobFailedError: memory does not suffice.
    """
    content = _load(path)
    if not isinstance(content, Mapping):
        raise ClassifierError(f"{path} holds a {type(content).__name__}, not the weights of a classifier.")
    names = content.get("classes")
    if isinstance(names, (list, tuple)) and list(names) != list(CLASSES):
        raise ClassifierError(
            f"{path} is a classifier of {', '.join(map(str, names))}; the classes must be {', '.join(CLASSES)}, "
            "in this order."
        )
    found, _ = find_weights(content, lambda: [name for name, _ in _empty_model().named_parameters()])
    if found is None:
        raise ClassifierError(f"{path} holds no weights of a classifier under any known name.")
    provenance = content.get("provenance")
    demonstration = isinstance(provenance, Mapping) and provenance.get("demonstration") is True
    try:
        check_tensors(path, found)
    except CheckpointError as error:
        raise ClassifierError(str(error)) from error
    return ClassifierWeights(_checked(str(path), normalise_names(found)), demonstration)


def imagenet_weights() -> ClassifierWeights:
    """ResNet-18 as torchvision offers it, from its cache or its server, without the head of 1000 classes.

    Raises:
        ClassifierError: neither has it.
    """
    try:
        weights = read_published(RESNETS["resnet18"])
    except DownloadError as error:
        raise ClassifierError(_NOTHING_THERE.format(reason=error)) from error
    return ClassifierWeights(_checked(IMAGENET, weights))


def _load(path: Path) -> Any:
    try:
        return load_file_safely(path)
    except CheckpointError as error:
        raise ClassifierError(str(error)) from error


def _checked(source: str, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What of the weights belongs to a ResNet-18 of seven classes, in float32; only the head may be amiss."""
    expected = _empty_model().state_dict()
    body = {name: tensor for name, tensor in weights.items() if not name.startswith("fc.")}
    for name, tensor in expected.items():
        if name in HEAD or (name.endswith(_COUNTER) and name not in body):
            continue
        if name not in body or body[name].shape != tensor.shape:
            found = tuple(body[name].shape) if name in body else "missing"
            raise ClassifierError(
                f"{source} is not a ResNet-18: the weight {name} is {found}, not {tuple(tensor.shape)}."
            )
    foreign = sorted(set(body) - set(expected))
    if foreign:
        raise ClassifierError(f"{source} is not a ResNet-18: it has the foreign weight {foreign[0]}.")
    checked = {name: tensor.float() for name, tensor in {**body, **_head(weights, expected)}.items()}
    spoiled = [name for name, tensor in checked.items() if not tensor.isfinite().all()]
    if spoiled:
        raise ClassifierError(f"{source} is damaged: the weight {spoiled[0]} holds numbers that are not finite.")
    return checked


def _head(weights: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The head where it fits, also from behind a dropout (``fc.1.weight``); nothing where it does not."""
    last = [name for name in weights if name.startswith("fc.")]
    head = {f"fc.{name.rpartition('.')[2]}": weights[name] for name in last}
    fits = len(last) == len(HEAD) and all(name in head and head[name].shape == expected[name].shape for name in HEAD)
    return head if fits else {}


def _empty_model() -> ResNet:
    with torch.device("meta"):
        return resnet18(num_classes=len(CLASSES))
