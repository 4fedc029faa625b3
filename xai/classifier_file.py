"""Read the weights of a ResNet-18 without executing code in the file. A head of another size is ignored."""

from __future__ import annotations

import http.client
import pickle
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from core.classes import CLASSES
from core.download.http import is_offline
from core.errors import CheckpointError, ClassifierError
from core.models.checkpoints import load_file_safely
from core.models.state_dicts import find_weights, normalise_names
from core.models.torchvision_shim import declare_missing_operators
from core.paths import CLASSIFIER_FILE

declare_missing_operators()
from torchvision.models import ResNet, ResNet18_Weights, resnet18  # noqa: E402

IMAGENET: Final = f"torchvision {ResNet18_Weights.IMAGENET1K_V1}"
HEAD: Final = ("fc.weight", "fc.bias")
_COUNTER: Final = ".num_batches_tracked"  # of a batch norm; not used in eval mode
_HEAD_SEED: Final = 0
_PATIENCE_S: Final = 20.0  # time limit of a download without received bytes
_NOTHING_THERE: Final = (
    f"There is no {CLASSIFIER_FILE} in the checkpoints folder, and the ImageNet weights of torchvision cannot be "
    f"loaded ({{reason}}); put a {CLASSIFIER_FILE} into the folder to get overlays."
)


@dataclass(frozen=True)
class ClassifierWeights:
    """Weights with the names of torchvision's ResNet-18, float32, on the CPU; without a head if none fits."""

    state_dict: dict[str, torch.Tensor] = field(repr=False)
    demonstration: bool = False

    @property
    def has_head(self) -> bool:
        """Return whether the seven outputs are trained."""
        return all(name in self.state_dict for name in HEAD)

    def build(self) -> ResNet:
        """Return the network in eval mode without gradients; a missing head is initialised with a fixed seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_HEAD_SEED)
            model = resnet18(num_classes=len(CLASSES))
        model.load_state_dict({**model.state_dict(), **self.state_dict})
        return model.requires_grad_(False).eval()


def read_weights(path: Path) -> ClassifierWeights:
    """Read a bare state_dict, or the ``state_dict``, ``model_state_dict`` or averaged weights of a training file.

    Raises:
        ClassifierError: the file is damaged, has another architecture, other classes or numbers that are not finite,
            or contains objects other than tensors and plain values.
        JobFailedError: there is not enough memory.
    """
    content = _load(path)
    if not isinstance(content, Mapping):
        raise ClassifierError(f"{path} contains a {type(content).__name__}, not the weights of a classifier.")
    names = content.get("classes")
    if isinstance(names, (list, tuple)) and list(names) != list(CLASSES):
        raise ClassifierError(
            f"{path} is a classifier of {', '.join(map(str, names))}; the classes must be {', '.join(CLASSES)}, "
            "in this order."
        )
    found, _ = find_weights(content, lambda: [name for name, _ in _empty_model().named_parameters()])
    if found is None:
        raise ClassifierError(f"{path} contains no classifier weights with a known name.")
    provenance = content.get("provenance")
    demonstration = isinstance(provenance, Mapping) and bool(provenance.get("demonstration"))
    return ClassifierWeights(_checked(str(path), normalise_names(found)), demonstration)


def imagenet_weights() -> ClassifierWeights:
    """Load the ImageNet ResNet-18 of torchvision from its cache or its server, without the head of 1000 classes.

    Raises:
        ClassifierError: the weights are in neither.
    """
    weights = ResNet18_Weights.IMAGENET1K_V1
    if is_offline():
        raise ClassifierError(_NOTHING_THERE.format(reason="HF_HUB_OFFLINE is set"))
    try:
        with _download_patience():
            state_dict = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, http.client.HTTPException, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ClassifierError(_NOTHING_THERE.format(reason=str(error).partition("\n")[0])) from error
    return ClassifierWeights(_checked(IMAGENET, dict(state_dict)))


def _load(path: Path) -> Any:
    try:
        return load_file_safely(path)
    except CheckpointError as error:
        raise ClassifierError(str(error)) from error


def _checked(source: str, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights of a ResNet-18 with seven classes in float32. Only the head may be missing or differ."""
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
        raise ClassifierError(f"{source} is not a ResNet-18: it has the unknown weight {foreign[0]}.")
    checked = {name: tensor.float() for name, tensor in {**body, **_head(weights, expected)}.items()}
    spoiled = [name for name, tensor in checked.items() if not tensor.isfinite().all()]
    if spoiled:
        raise ClassifierError(f"{source} is damaged: the weight {spoiled[0]} contains numbers that are not finite.")
    return checked


def _head(weights: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the head if its size fits, also after a dropout (``fc.1.weight``); otherwise nothing."""
    last = [name for name in weights if name.startswith("fc.")]
    head = {f"fc.{name.rpartition('.')[2]}": weights[name] for name in last}
    fits = len(last) == len(HEAD) and all(name in head and head[name].shape == expected[name].shape for name in HEAD)
    return head if fits else {}


def _empty_model() -> ResNet:
    with torch.device("meta"):
        return resnet18(num_classes=len(CLASSES))


@contextmanager
def _download_patience() -> Iterator[None]:
    """Set a time limit for connections. torch.hub sets none and would wait forever behind some firewalls."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
