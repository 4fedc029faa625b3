"""Networks with a known correct explanation, and untrained ResNets."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torchvision.models import ResNet, resnet18

from core.classes import CLASSES
from xai.classifier import CLASSIFIER_SIZE, STD, Classifier

CPU = torch.device("cpu")
SHAPE = (3, CLASSIFIER_SIZE, CLASSIFIER_SIZE)


def classifier_of(model: nn.Module) -> Classifier:
    """A classifier around any network."""
    return Classifier(model.eval().requires_grad_(False), CPU, torch.float32, "test", "", True, ())


class Linear(nn.Module):
    """Scores that are weighted sums of pixels: a pixel contributes its weight times its difference to the baseline."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.randn(len(CLASSES), *SHAPE, generator=torch.Generator().manual_seed(0)) / 224
        self.weights = nn.Parameter(weights)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores (B, 7)."""
        return images.flatten(1) @ self.weights.flatten(1).T

    def contributions(self, image: torch.Tensor, baseline: torch.Tensor, target: int) -> torch.Tensor:
        """Return the contribution of every pixel to a target, (224, 224); image and baseline are in [0, 1]."""
        std = torch.tensor(STD).view(3, 1, 1)
        return (self.weights[target].detach() / std * (image - baseline)[0]).sum(dim=0)


class Squared(nn.Module):
    """Squares of weighted sums of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = Linear()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores (B, 7)."""
        return self.linear(images).square()


class GreenDetector(nn.Module):
    """Responds to saturated green, only for the first class. Dermoscopic images have none. Ignores positions."""

    def __init__(self) -> None:
        super().__init__()
        green = nn.Conv2d(3, 1, 1)
        green.weight.data = torch.tensor([-1.0, 1.0, -1.0]).view(1, 3, 1, 1)
        green.bias.data.fill_(-1.0)
        self.layer4 = nn.Sequential(green, nn.ReLU(), nn.AvgPool2d(16))
        self.scale = nn.Parameter(torch.tensor([10.0] + [0.0] * (len(CLASSES) - 1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores (B, 7)."""
        return self.layer4(images).mean(dim=(1, 2, 3)).unsqueeze(1) * self.scale


def resnet(seed: int = 0, classes: int = len(CLASSES)) -> ResNet:
    """An untrained ResNet-18 whose batch norms have statistics, as after training."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = resnet18(num_classes=classes)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean, -0.2, 0.2)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.2, 0.2)
    return model.eval()


def write_classifier(folder: Path, seed: int = 0) -> Path:
    """A checkpoints folder with an untrained classifier in fp16, like the bundled one."""
    folder.mkdir(exist_ok=True)
    torch.save(resnet(seed).half().state_dict(), folder / "classifier.pth")
    return folder
