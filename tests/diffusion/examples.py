"""Small real runs that several tests start from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator

from core.classes import CLASSES
from diffusion import architectures, growing
from diffusion.config import Stage, TrainingConfig
from diffusion.learner import Places
from diffusion.tables import read_images
from diffusion.train import Trainer
from tests.conftest import REAL_IMAGES, TINY_UNET

TINY_DEMO: dict[str, Any] = {
    **TINY_UNET,
    "block_out_channels": (8, 8, 16),
    "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
    "num_class_embeds": len(CLASSES) + 1,
}
"""A network of the demonstration model's kind for 16 px; its inner part is for 8 px."""


def make_networks_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the names "demo", "default" and "small" stand for tiny networks; they stay real ones."""
    monkeypatch.setattr(architectures, "DEMO_UNET", TINY_DEMO)
    monkeypatch.setattr(architectures, "DEFAULT_UNET", TINY_UNET)
    monkeypatch.setattr(architectures, "SMALL_UNET", TINY_UNET)
    monkeypatch.setattr(growing, "_ITERATIONS", 20)  # how well a network grows is the matter of test_growing


def config(*stages: Stage, **changes: Any) -> TrainingConfig:
    """A short run in fp32."""
    settings: dict[str, Any] = {"precision": "fp32", "warm_up": 5, "save_every": 1000, "validate_every": 1000}
    return TrainingConfig(stages=stages, **{**settings, **changes})


def trainer(settings: TrainingConfig, folder: Path, **options: Any) -> Trainer:
    """A run on the sixteen real images."""
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    return Trainer(settings, read_images(REAL_IMAGES).images, Places(folder, folder / "cache"), accelerator, **options)


def class_folders(folder: Path, **counts: int) -> Path:
    """A tree of class folders made of the sixteen real images, some of them under several names."""
    files = sorted((REAL_IMAGES / "images").glob("*.jpg"))
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            shutil.copy(files[index % len(files)], folder / name / f"photo_{name}_{index}.jpg")
    return folder
