"""The weights of a torchvision ResNet inside the files that other programs leave: prefixes, heads, names of classes.

A file counts as a ResNet if it holds the whole body of a ResNet-18, -34, -50 or -101, under any prefix. What lies
outside the body and the head is reported and left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import torch

from core.models.torchvision_shim import declare_missing_operators

RESNETS: Final[Mapping[str, str]] = {
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
}
_HEAD: Final = "fc."
_BODY: Final = re.compile(r"(conv|bn|layer)\d+\.")
_PREFIX: Final = re.compile(r"^(|.*\.)(?:layer\d\.\d+\.|(?:conv|bn)1\.)\w")
_COUNTER: Final = "num_batches_tracked"  # of a batch norm; plays no part in eval mode
_AVERAGING_COUNTER: Final = "n_averaged"  # of torch.optim.swa_utils.AveragedModel
_CLASS_KEYS: Final = ("classes", "class_names", "class_to_idx", "idx_to_class")


class ForeignWeightsError(ValueError):
    """Weights that are not those of a whole ResNet, or names of classes that mean none of the seven; says why."""


@dataclass(frozen=True)
class ResNetWeights:
    """A ResNet as a file of another program holds it.

    Attributes:
        backbone: one of ``RESNETS``.
        body: weights by torchvision's names, without the head.
        head: ``weight`` (outputs, features) and ``bias`` (outputs,); empty if the file has no such pair.
        prefix: what stood before every name, as ``base_model.``; empty if nothing did.
        unused: names of weights that belong to neither the body nor a head.
    """

    backbone: str
    body: dict[str, torch.Tensor] = field(repr=False)
    head: dict[str, torch.Tensor] = field(repr=False)
    prefix: str
    unused: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """Number of outputs of the head; 0 without one."""
        return len(self.head["bias"]) if self.head else 0


def find_resnet(weights: Mapping[str, torch.Tensor]) -> ResNetWeights:
    """Find the body and the head of a ResNet among weights, under whatever prefix they have.

    Raises:
        ForeignWeightsError: no whole body; the message names the first weight that differs, and the prefix.
    """
    prefix = _prefix_of(weights)
    own = {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}
    body = {name: tensor for name, tensor in own.items() if _BODY.match(name)}
    backbone = _nearest(body)
    _check(backbone, body, prefix)
    used = {prefix + name for name in own if name in body or name.startswith(_HEAD)}
    unused = tuple(sorted(name for name in weights if name not in used and name != _AVERAGING_COUNTER))
    return ResNetWeights(backbone, body, _head(own, expected_body(backbone)[1]), prefix, unused)


def class_names_of(content: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of the outputs that a training file gives, in their order; None if it gives none.

    They are found under ``classes``, ``class_names``, ``class_to_idx`` or ``idx_to_class``, also among Lightning's
    ``hyper_parameters``, as a list or as a mapping between names and indices.
    """
    settings = content.get("hyper_parameters")
    for source in (content, settings if isinstance(settings, Mapping) else {}):
        for key in _CLASS_KEYS:
            names = _in_order(source.get(key))
            if names:
                return names
    return None


@cache
def expected_body(backbone: str) -> tuple[dict[str, torch.Size], int]:
    """Shapes of the body's weights by name, and the number of features that the head reads."""
    declare_missing_operators()
    from torchvision import models  # noqa: PLC0415 - needs the operators

    with torch.device("meta"):
        network = getattr(models, backbone)()
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items() if not name.startswith(_HEAD)}
    return shapes, network.fc.in_features


def _prefix_of(weights: Mapping[str, torch.Tensor]) -> str:
    """The prefix that most layers of a ResNet have."""
    found = Counter(match[1] for name in weights if (match := _PREFIX.match(name)))
    if not found:
        first = min(weights, default="")
        raise ForeignWeightsError(f"no layer of a ResNet is in it, under no prefix; its first weight is {first!r}")
    # A downsampling branch or a block within a block would count for a longer prefix; the body has the most names.
    return found.most_common(1)[0][0]


def _nearest(body: Mapping[str, torch.Tensor]) -> str:
    """The ResNet whose names and shapes differ in the fewest places."""

    def differences(backbone: str) -> int:
        expected = expected_body(backbone)[0]
        shared = sum(name in body and body[name].shape == shape for name, shape in expected.items())
        return len(expected) + len(body) - 2 * shared

    return min(RESNETS, key=differences)


def _check(backbone: str, body: Mapping[str, torch.Tensor], prefix: str) -> None:
    under = f" (under the prefix {prefix!r})" if prefix else ""
    expected = expected_body(backbone)[0]
    for name, shape in expected.items():
        if name not in body and name.endswith(_COUNTER):
            continue
        if name not in body or body[name].shape != shape:
            found = tuple(body[name].shape) if name in body else "missing"
            raise ForeignWeightsError(f"the weight {name}{under} is {found}, not {tuple(shape)}")
    foreign = sorted(set(body) - set(expected))
    if foreign:
        raise ForeignWeightsError(f"it has the foreign weight {foreign[0]}{under}")


def _head(own: Mapping[str, torch.Tensor], features: int) -> dict[str, torch.Tensor]:
    """The last layer, also from behind a dropout (``fc.1.weight``); nothing if it is not one linear layer."""
    names = [name for name in own if name.startswith(_HEAD)]
    head = {name.rpartition(".")[2]: own[name] for name in names}
    if len(names) != 2 or set(head) != {"weight", "bias"}:
        return {}
    weight, bias = head["weight"], head["bias"]
    return head if weight.ndim == 2 and weight.shape == (*bias.shape, features) else {}


def _in_order(value: object) -> tuple[str, ...] | None:
    if isinstance(value, (list, tuple)) and value:
        return tuple(map(str, value))
    if isinstance(value, Mapping) and value:
        if all(isinstance(index, int) for index in value.values()):
            return tuple(str(name) for name, _ in sorted(value.items(), key=lambda item: item[1]))
        if all(isinstance(index, int) or str(index).isdigit() for index in value):
            return tuple(str(name) for _, name in sorted(value.items(), key=lambda item: int(item[0])))
    return None
