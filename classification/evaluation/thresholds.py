"""Where a probability becomes a yes: chosen on the validation part, by the name of a rule."""

from __future__ import annotations

from typing import Final

import numpy as np
from sklearn.metrics import roc_curve

from core.errors import ArgumentError

RULES: Final = ("equal", "youden", "half", "sensitivity:0.95", "specificity:0.90")
_NEEDS: Final = ("sensitivity", "specificity")
_WORDS: Final = {
    "equal": "so that sensitivity and specificity are as near each other as can be",
    "youden": "so that the sum of sensitivity and specificity is the highest",
    "half": "as 0.5 whatever the data",
}


def check_rule(rule: str) -> str:
    """Return the rule as it is.

    Raises:
        ArgumentError: there is no such rule.
    """
    name, separator, share = rule.partition(":")
    if rule in RULES[:3]:
        return rule
    try:
        if name in _NEEDS and separator and 0 < float(share) <= 1:
            return rule
    except ValueError:
        pass
    raise ArgumentError(f"There is no threshold {rule!r}; choose as in {', '.join(RULES)}.")


def in_words(rule: str) -> str:
    """How a rule chooses, to follow "chosen on the validation part"."""
    name, _, share = rule.partition(":")
    return _WORDS.get(name, f"so that the {name} is at least {share}")


def choose_threshold(rule: str, positive: np.ndarray, scores: np.ndarray) -> float:
    """The lowest probability that counts as yes.

    ``equal``: sensitivity and specificity as near each other as can be. ``youden``: their sum the highest. ``half``:
    0.5. ``sensitivity:0.95`` and ``specificity:0.90``: at least so much of the one, and then the most of the other.

    Args:
        rule: as above.
        positive: bool (N,), of the validation part.
        scores: probabilities of yes, (N,).

    Raises:
        ArgumentError: no such rule, or the part has one outcome only.
    """
    if check_rule(rule) == "half":
        return 0.5
    if positive.all() or not positive.any():
        raise ArgumentError(
            f"All {len(positive)} images that the threshold is to be chosen on have one outcome; give both, or "
            "choose the threshold 'half'."
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
    worth[0] = -np.inf  # scikit-learn begins with an infinite threshold, which says no to everything
    best = int(np.argmax(worth))
    lower = thresholds[best + 1] if best + 1 < len(thresholds) else thresholds[best]
    return float((thresholds[best] + lower) / 2)  # in the middle of the gap, not on the last positive
