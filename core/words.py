"""Numbers of things in words, for whoever reads them."""

from __future__ import annotations


def counted_images(number: int) -> str:
    """1 image, 2 images, 1,200 images."""
    return f"{number:,} image" if number == 1 else f"{number:,} images"
