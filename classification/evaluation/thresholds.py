"""Choose the threshold between no and yes on the validation part, by a named rule."""

from __future__ import annotations

from typing import Final

import numpy as np
from sklearn.metrics import roc_curve

from core.errors import ArgumentError

RULES: Final = ("equal", "youden", "half", "sensitivity:0.95", "specificity:0.90")
_NEEDS: Final = ("sensitivity", "specificity")
_WORDS: Final = {
    "equal": "so that sensitivity and specificity are as close to each other as possible",
    "youden": "so that the sum of sensitivity and specificity is the highest",
    "half": "as 0.5, independent of the data",
}


def check_rule(rule: str) -> str:
    """Return a valid rule unchanged.

    Raises:
        ArgumentError: the rule does not exist.
    """
    name, separator, share = rule.partition(":")
    if rule in RULES[:3]:
        return rule
    try:
        if name in _NEEDS and separator and 0 < float(share) <= 1:
            return rule
    except ValueError:
        pass
    raise ArgumentError(f"The threshold {rule!r} does not exist; choose a rule such as {', '.join(RULES)}.")


def description_of(rule: str) -> str:
    """Text that describes a rule, to follow "chosen on the validation part"."""
    name, _, share = rule.partition(":")
    return _WORDS.get(name, f"so that the {name} is at least {share}")


def choose_threshold(rule: str, positive: np.ndarray, scores: np.ndarray) -> float:
    """The lowest probability that counts as yes.

    ``equal``: sensitivity and specificity are as close to each other as possible. ``youden``: their sum is the highest.
    ``half``: 0.5. ``sensitivity:0.95`` and ``specificity:0.90``: the named score has at least this value, and the other
    one is as high as possible.

    Args:
        rule: one of the above.
        positive: bool (N,), truth of the validation part.
        scores: probabilities of yes, (N,).

    Raises:
        ArgumentError: the rule does not exist, or the part has only one outcome.
    """
    if check_rule(rule) == "half":
        return 0.5
    if positive.all() or not positive.any():
        raise ArgumentError(
            f"All {len(positive)} images for choosing the threshold have the same outcome; add images of the other "
            "one, or choose the threshold 'half'."
        )
    false_rate, sensitivity, thresholds = roc_curve(positive, scores, drop_intermediate=False)
    specificity = 1 - false_rate
    name, _, share = rule.partition(":")
    if name == "equal":
        worth = -np.abs(sensitivity - specificity) + 1e-6 * (sensitivity + specificity)
    elif name == "youden":
        worth = sensitivity + specificity
    else:
        needed, other = (sensitivity, specificity) if name == "sensitivity" else (specificity, sensitivity)
        worth = np.where(needed >= float(share) - 1e-12, other, -1 + needed)
    worth[0] = -np.inf  # scikit-learn starts with an infinite threshold, which answers no for every image
    best = int(np.argmax(worth))
    lower = thresholds[best + 1] if best + 1 < len(thresholds) else thresholds[best]
    return float((thresholds[best] + lower) / 2)  # the middle of the gap between two scores
