"""Share of images that a classifier recognises as their class, in the set and in held-out real images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from core.classes import CLASSES
from evaluation.features.extractors import CLASSIFIER, IMAGENET, LABELS, PROBABILITIES
from evaluation.features.image_set import Side
from evaluation.features.splits import held_out_and_rest
from evaluation.intervals import Share
from evaluation.progress import Progress, Warned, Work
from evaluation.utility.probe import Head

PROBE: Final = "probe"
JUDGES: Final = {
    CLASSIFIER: "this project's classifier",
    PROBE: "a head on frozen ImageNet features, trained for this report on the real images that are not held out",
}
"""Judges and their descriptions."""


@dataclass(frozen=True)
class Agreement:
    """Result of one judge.

    Attributes:
        judge: a key of ``JUDGES``.
        classes: the classes of the judge, which are the columns of ``confusion``.
        of_set, of_real: for each class, the share of its images that the judge recognises.
        confusion: number of images by requested class (rows) and recognised class (columns).
        by_rule: whether the held-out images are those that this project's trainings leave out.
    """

    judge: str
    classes: tuple[str, ...]
    of_set: dict[str, Share]
    of_real: dict[str, Share]
    confusion: np.ndarray = field(repr=False)
    by_rule: bool

    def macro(self, *, real: bool = False) -> float:
        """Mean over the classes of the set; classes without held-out real images are ignored in both means."""
        names = [name for name in self.of_set if name in self.of_real]
        shares = self.of_real if real else self.of_set
        return float(np.mean([shares[name].value for name in names])) if names else float("nan")

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON values."""
        return {
            "judge": self.judge,
            "held_out_by_rule": self.by_rule,
            "macro": self.macro(),
            "macro_of_held_out_real": self.macro(real=True),
            "classes": list(self.classes),
            "set": {name: share.to_json() for name, share in self.of_set.items()},
            "held_out_real": {name: share.to_json() for name, share in self.of_real.items()},
            "confusion": self.confusion.tolist(),
        }


def agreement(generated: Side, real: Side, seed: int) -> Work[list[Agreement]]:
    """Apply every available judge to both sides."""
    yield Progress("Class agreement", 0, 2)
    tested, rest, by_rule = held_out_and_rest(real.labels, real.lesions, real.named, np.random.default_rng(seed))
    if not by_rule:
        yield Warned(
            "Class agreement and usefulness are tested on randomly drawn real lesions, which the models may have been "
            "trained on: too few lesions named by a table are in the tenth that this project's trainings leave out."
        )
    names, of_real = real.labels, real.labels[tested]
    found = []
    if PROBABILITIES in generated.features:
        seen = [
            side.argmax(axis=1) for side in (generated.features[PROBABILITIES], real.features[PROBABILITIES][tested])
        ]
        found.append(_judged(CLASSIFIER, CLASSES, generated.labels, of_real, seen, by_rule))
    yield Progress("Class agreement", 1, 2)
    classes = tuple(name for name in CLASSES if name in set(names[rest]))
    if IMAGENET in generated.features and len(classes) > 1:
        numbers = np.array([classes.index(name) for name in names[rest]])
        head = Head(real.features[IMAGENET][rest], numbers, len(classes), seed)
        sides = (generated.features[IMAGENET], real.features[IMAGENET][tested])
        seen = [head.probabilities(side).argmax(axis=1) for side in sides]
        found.append(_judged(PROBE, classes, generated.labels, of_real, seen, by_rule))
    return found


def describe(judge: str) -> str:
    """The description of a judge."""
    return JUDGES[judge] + (f" ({LABELS[IMAGENET]})" if judge == PROBE else "")


def _judged(
    judge: str,
    classes: Sequence[str],
    of_set: np.ndarray,
    of_real: np.ndarray,
    seen: Sequence[np.ndarray],
    by_rule: bool,
) -> Agreement:
    confusion = np.zeros((len(classes), len(classes)), int)
    asked = np.array([classes.index(name) if name in classes else -1 for name in of_set])
    np.add.at(confusion, (asked[asked >= 0], seen[0][asked >= 0]), 1)
    return Agreement(
        judge,
        tuple(classes),
        of_set=_shares(classes, of_set, seen[0]),
        of_real=_shares(classes, of_real, seen[1]),
        confusion=confusion,
        by_rule=by_rule,
    )


def _shares(classes: Sequence[str], names: np.ndarray, seen: np.ndarray) -> dict[str, Share]:
    return {
        name: Share(int((seen[names == name] == index).sum()), int((names == name).sum()))
        for index, name in enumerate(classes)
        if (names == name).any()
    }
