"""Decide for each check of an analysis whether its result supports the attribution map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

_LEVEL: Final = 0.05
_ALIKE: Final = 0.5


def verdicts(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the verdicts of an analysis in the order of its report.

    Returns:
        One dict per check: ``question``, ``found`` (a sentence with the numbers) and ``supports_map``.
    """
    checks = facts["faithfulness"]
    return [
        _causal(facts["causal"]),
        _curve("Does the score fall fast when the top regions of the map are removed?", checks["deletion"], lower=True),
        _curve(
            "Does the score rise fast when the top regions of the map are restored?", checks["insertion"], lower=False
        ),
        _randomisation(checks["parameter_randomisation"]),
    ]


def _causal(check: Mapping[str, Any]) -> dict[str, Any]:
    results = check["interventions"]
    good = [name for name, result in results.items() if result["permutation_p_holm"] < _LEVEL]
    found = f"In {len(good)} of {len(results)} interventions (p < {_LEVEL}, permutation test, Holm)"
    return _verdict(
        "Do regions that the map ranks high change the score more than regions that it ranks low?",
        f"{found}: {', '.join(good)}." if good else f"{found}.",
        2 * len(good) > len(results),
    )


def _curve(question: str, curve: Mapping[str, Any], *, lower: bool) -> dict[str, Any]:
    random = np.array(curve["random_aucs"])
    better = int(((curve["auc"] < random) if lower else (curve["auc"] > random)).sum())
    found = f"AUC {curve['auc']:.3f}; {random.mean():.3f} ± {random.std(ddof=1):.3f} for random orders, "
    found += f"the map is better than {better} of {len(random)} random orders."
    return _verdict(question, found, better >= (1 - _LEVEL) * len(random))


def _randomisation(levels: list[Mapping[str, Any]]) -> dict[str, Any]:
    last = levels[-1]["correlation"]
    found = "The map of the network with shuffled weights is flat."
    if last is not None:
        found = f"When all weights are shuffled, the rank correlation with the map is {last:.2f}."
    question = "Does the map change when the weights of the network are shuffled?"
    return _verdict(question, found, last is None or abs(last) < _ALIKE)


def _verdict(question: str, found: str, good: bool) -> dict[str, Any]:
    return {"question": question, "found": found, "supports_map": bool(good)}
