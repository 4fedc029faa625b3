"""The images of a job that are explained or analysed while it runs.

The interval counts the images of the class folder, that is their ISIC numbers, and not those of the job: five images
now and five later are the ten images of one run.
"""

from __future__ import annotations

from collections.abc import Mapping


def wants_explanation(number: int, count: int, cadence: int) -> bool:
    """Whether an image is explained during generation.

    Args:
        number: ISIC number of the image.
        count: images of its class in the job.
        cadence: interval of the explained numbers.

    Returns:
        True for every multiple of ``cadence``. A class folder that ends with fewer images has its first one explained.
    """
    return number % cadence == 0 or (number == 1 and count < cadence)


def explanations_wanted(first: int, count: int, cadence: int) -> int:
    """The number of explained images of a class in a job.

    Args:
        first: ISIC number of the first image that the job generates.
        count: images of the class in the job.
        cadence: interval of the explained numbers.
    """
    if first == 1 and 0 < count < cadence:
        return 1
    return (first + count - 1) // cadence - (first - 1) // cadence


def without_explanation(first_numbers: Mapping[str, int], counts: Mapping[str, int], cadence: int) -> dict[str, int]:
    """The classes of which a job explains no image, each with its next explained number.

    Args:
        first_numbers: ISIC number of the first image of each class in the job.
        counts: images of each class in the job.
        cadence: interval of the explained numbers.
    """
    return {
        name: -(-first // cadence) * cadence
        for name, first in first_numbers.items()
        if not explanations_wanted(first, counts[name], cadence)
    }
