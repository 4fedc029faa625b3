from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.output.image_file import read_pixels
from tests.conftest import REAL_IMAGES
from tests.xai.networks import CPU, write_classifier
from xai.classifier import Classifier, load_classifier, prepare

REAL_IMAGE = REAL_IMAGES / "images" / "ISIC_0024310.jpg"


@pytest.fixture(scope="session")
def image() -> torch.Tensor:
    """A real melanoma as the classifier sees it."""
    return prepare(read_pixels(REAL_IMAGE))


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained classifier; not to be changed."""
    return write_classifier(tmp_path_factory.mktemp("classifier") / "checkpoints")


@pytest.fixture(scope="session")
def classifier(checkpoints: Path) -> Classifier:
    return load_classifier(checkpoints, CPU, "fp32")
