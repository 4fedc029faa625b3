"""The lesions that no diffusion model of this project is trained on: one rule for training, classifiers, evaluation."""

from __future__ import annotations

import hashlib
from typing import Final

HELD_OUT_PERCENT: Final = 10


def is_held_out(lesion_id: str) -> bool:
    """Whether a lesion belongs to the tenth that is never trained on.

    Decided by a hash of the lesion's own name, so the answer depends on no order, no file and no seed, and every
    tool of the project that asks gets the same split.
    """
    return lesion_hash(lesion_id) % 100 < HELD_OUT_PERCENT


def lesion_hash(lesion_id: str) -> int:
    """A number in [0, 2**32) that follows from the name alone."""
    return int(hashlib.md5(lesion_id.encode()).hexdigest()[:8], 16)
