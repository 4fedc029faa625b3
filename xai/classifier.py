"""The classifier that is explained: a ResNet with one output a class, images of 224 px, ImageNet normalisation."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from core.io.atomic_files import sha256_of
from core.models.devices import DTYPES, resolve_precision
from core.paths import CLASSIFIER_FILE, DEMO_SET
from xai.classifier_file import IMAGENET, ClassifierWeights, imagenet_weights, read_weights

CLASSIFIER_SIZE: Final = 224
MEAN: Final = (0.485, 0.456, 0.406)
STD: Final = (0.229, 0.224, 0.225)
UNTRAINED_HEAD: Final = (
    "The classifier's head is untrained: do not interpret its probabilities or the overlays made with it."
)
DEMONSTRATION: Final = "The classifier is the bundled demonstration classifier, trained only on HAM10000: see its card."


@dataclass(frozen=True)
class Classifier:
    """A ResNet in memory, ready to be evaluated and differentiated with respect to its input.

    Attributes:
        model: in eval mode, channels-last, its batch norms folded into the convolutions, without gradients of its
            weights; takes normalised images.
        device: device of the model.
        dtype: data type of the weights; images are converted to it.
        source: path of the file, or name of the torchvision weights.
        sha256: SHA-256 of the file; empty for torchvision weights.
        head_trained: whether the seven outputs are trained; if not, every result must carry a warning.
        notices: sentences that must accompany every result.
    """

    model: nn.Module = field(repr=False)
    device: torch.device
    dtype: torch.dtype
    source: str
    sha256: str
    head_trained: bool
    notices: tuple[str, ...]

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Return logits, float32 (B, 7), of images (B, 3, 224, 224) in [0, 1]; differentiable."""
        return self.scores(self.normalised(images))

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise images in [0, 1] to the input of the network, (B, 3, 224, 224) in its dtype; differentiable."""
        images = images.to(self.device, torch.float32)
        mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        normalised = torch.addcmul(-mean / std, images, 1 / std)  # a single operation over the pixels
        return normalised.to(self.dtype, memory_format=torch.channels_last)

    def scores(self, normalised: torch.Tensor) -> torch.Tensor:
        """Return logits of images that are already normalised."""
        scores: torch.Tensor = self.model(normalised)
        return scores

    @torch.no_grad()
    def probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Return class probabilities, float32 (B, 7), without gradients, of images as in ``logits``."""
        return self.logits(images).softmax(dim=1)


def prepare(pixels: np.ndarray) -> torch.Tensor:
    """Scale an image to the size of the classifier. All code uses this function.

    The interpolation is antialiased bilinear. The aspect ratio is not kept, as in the training of the classifier.

    Args:
        pixels: uint8 (H, W, 3), RGB.

    Returns:
        float32 (1, 3, 224, 224) in [0, 1], on the CPU.
    """
    image = Image.fromarray(pixels).resize((CLASSIFIER_SIZE, CLASSIFIER_SIZE), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).unsqueeze(0).contiguous().float() / 255


def load_classifier(checkpoints: Path, device: torch.device, precision: str = "auto") -> Classifier:
    """Load the classifier of a checkpoints folder, or the bundled one, or ImageNet weights with an untrained head.

    Args:
        checkpoints: folder that may contain ``classifier.pth``.
        device: device for the model.
        precision: auto, fp32, bf16 or fp16.

    Raises:
        ClassifierError: the file cannot be used, or there is none and the torchvision weights cannot be loaded.
        DeviceError: fp16 was requested on a processor.
    """
    for file in (checkpoints / CLASSIFIER_FILE, DEMO_SET / CLASSIFIER_FILE):
        if file.is_file():
            return ready(read_weights(file), device, precision, str(file), sha256_of(file))
    return ready(imagenet_weights(), device, precision, IMAGENET)


def ready(
    weights: ClassifierWeights, device: torch.device, precision: str, source: str, sha256: str = ""
) -> Classifier:
    """Create a classifier from weights in memory.

    Raises:
        DeviceError: fp16 was requested on a processor.
    """
    dtype = DTYPES[resolve_precision(precision, device)]
    model = weights.build()
    _fold_batch_norms(model)
    model.relu, model.maxpool = (
        model.maxpool,
        model.relu,
    )  # they commute, and pooling first leaves a quarter of the values
    head = _Float32Head(model.fc)
    model.fc = nn.Identity()  # exclude the head from the conversion
    move: Any = model.to  # typed without memory_format
    move(device=device, dtype=dtype, memory_format=torch.channels_last)
    model.fc = head.to(device)
    notices = [UNTRAINED_HEAD] if not weights.has_head else []
    notices += [DEMONSTRATION] if weights.demonstration else []
    notices += weights.notices
    return Classifier(model, device, dtype, source, sha256, weights.has_head, tuple(notices))


class _Float32Head(nn.Linear):
    """The last layer in float32. In bf16, scores have steps of 1/32, which hide the small differences used by SHAP."""

    def __init__(self, head: nn.Linear) -> None:
        super().__init__(head.in_features, head.out_features, device="meta")
        self.weight, self.bias = head.weight, head.bias

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Scores (B, 7) of features (B, F) in any precision."""
        return super().forward(features.float())


def _fold_batch_norms(model: nn.Module) -> None:
    """Fold every batch norm into its convolution. This is faster, and more exact in bf16 because it uses float32."""
    for parent in list(model.modules()):
        for (convolution_name, convolution), (norm_name, norm) in pairwise(list(parent.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, convolution_name, fuse_conv_bn_eval(convolution, norm))
                setattr(parent, norm_name, nn.Identity())
