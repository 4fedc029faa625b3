"""Small real values that several tests start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from core.output.color_adjustment import ColorStatistics
from core.output.image_file import ImageParameters

EXAMPLE = ImageParameters(
    class_name="MEL",
    isic_number=1,
    generated_at="2020-01-01T00:00:00+00:00",
    seed=2133561722,
    base_seed=42,
    sampler="ddpm",
    steps=50,
    reuse=1,
    precision="fp32",
    device="cpu",
    checkpoint="unet_MEL_best.pth",
    checkpoint_sha256="ab" * 32,
    demonstration=False,
    image_size=16,
    color_adjustment=ColorStatistics((200.0, 150.5, 140.0), (20.0, 30.0, 40.25)),
    isicgui_version="0.1.0",
    torch_version="2.13.0",
    diffusers_version="0.42.1",
)


def parameters(**changes: Any) -> ImageParameters:
    """The example with some fields changed."""
    return replace(EXAMPLE, **changes)


def noise(seed: int = 0, size: int = 16) -> np.ndarray:
    """Random pixels, uint8 (size, size, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def write_png_with_text(file: Path, text: str) -> Path:
    """Write a PNG that anybody may have made: 16 px of noise, and this text in the chunk of the program."""
    chunk = PngImagePlugin.PngInfo()
    chunk.add_text("isicgui", text)
    Image.fromarray(noise()).save(file, pnginfo=chunk)
    return file
