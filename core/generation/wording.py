"""What is told of a job in words, for whoever reads it."""

from __future__ import annotations

from core.presets import NO_REUSE


def counted_images(number: int) -> str:
    """1 image, 2 images, 1,200 images."""
    return f"{number:,} image" if number == 1 else f"{number:,} images"


def reuse_in_words(reuse: int) -> str:
    """What to add to steps and sampler; nothing where every step computes the whole network."""
    return "" if reuse == NO_REUSE else f" with reuse {reuse}"
