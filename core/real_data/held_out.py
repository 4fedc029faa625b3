"""The lesions that no diffusion model of this project is trained on: one rule for training, classifiers, evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

HELD_OUT_PERCENT: Final = 10


def is_held_out(lesion_id: str) -> bool:
    """Whether a lesion belongs to the tenth that is never trained on.

    Decided by a hash of the lesion's own name, so the answer depends on no order, no file and no seed, and every
    tool of the project that asks gets the same split.
    """
    return lesion_hash(lesion_id) % 100 < HELD_OUT_PERCENT


def held_out_lesions(lesions: Iterable[str]) -> set[str]:
    """The lesions of a training set that its validation uses and its training never sees.

    These are the lesions that ``is_held_out`` selects. If it selects none of them or all of them, which happens with
    few lesions, the lesion with the lowest hash is held out alone, so that both parts have images. A single lesion is
    trained on unless the rule holds it out.
    """
    names = set(lesions)
    by_rule = {lesion for lesion in names if is_held_out(lesion)}
    if len(names) < 2 or (by_rule and by_rule != names):
        return by_rule
    return {min(names, key=lambda lesion: (lesion_hash(lesion), lesion))}


def lesion_hash(lesion_id: str) -> int:
    """A number in [0, 2**32) that follows from the name alone."""
    return int(hashlib.md5(lesion_id.encode("utf-8", "surrogateescape")).hexdigest()[:8], 16)
