"""Descriptions of a job in words."""

from __future__ import annotations

from core.presets import NO_REUSE


def counted_images(number: int) -> str:
    """1 image, 2 images, 1,200 images."""
    return f"{number:,} image" if number == 1 else f"{number:,} images"


def none_explained(class_name: str, number: int, done: str) -> str:
    """A job explains no image of a class.

    Args:
        class_name: code of the class.
        number: ISIC number of its next image that is explained.
        done: what is done to it, such as ``explained``.
    """
    return f"No image of {class_name} is {done} in this job; the next is number {number}."


def reuse_in_words(reuse: int) -> str:
    """What to add to steps and sampler; nothing where every step computes the whole network."""
    return "" if reuse == NO_REUSE else f" with reuse {reuse}"
