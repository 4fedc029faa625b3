"""The seed of every image follows from its class and its number alone."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

BASE_SEED: Final = 42
_MASK: Final = 0x7FFFFFFF
_FAR_APART: Final = 0x9E3779B1  # 2**32 over the golden ratio


def image_seed(class_name: str, isic_number: int, base_seed: int = BASE_SEED) -> int:
    """Seed of image ``ISIC_<isic_number>`` of a class, in [0, 2**31).

    The class's share comes from a hash of its name, so that classes do not start from the same noise; numbers
    count up from there. Five images now and five later are therefore the ten images of one run.
    """
    class_offset = int(hashlib.md5(class_name.encode()).hexdigest()[:8], 16) & _MASK
    return (base_seed + class_offset + isic_number - 1) & _MASK


def fresh_base_seed() -> int:
    """Draw a base seed at random, in [0, 2**31)."""
    return secrets.randbelow(_MASK + 1)


def stream_seed(seed: int, number: int) -> int:
    """Seed of the random numbers of step ``number`` in a run of this seed, in [0, 2**32).

    PyTorch's generator on the CPU heeds the lower 32 bits alone, so a seed in the upper ones would change nothing. An
    odd factor maps seeds one to one and sets neighbouring runs far apart: no run repeats the steps of another one soon.
    """
    return (number + seed * _FAR_APART) & 0xFFFFFFFF
