"""Read the ``analysis.json`` files of earlier versions, which used other field names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_VERDICT_FIELDS: Final = {"speaks_for_the_map": "supports_map"}
_TRAJECTORY_FIELDS: Final = {"made_again_on": "reproduced_on"}
_ORIGINS: Final = {"made again": "reproduced"}


def with_current_names(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``analysis.json`` with the current field names.

    Args:
        facts: content written by this or an earlier version. It is not changed.
    """
    verdicts = [_renamed(verdict, _VERDICT_FIELDS) for verdict in facts["verdicts"]]
    trajectory = facts["trajectory"]
    if trajectory is not None:
        trajectory = _renamed(trajectory, _TRAJECTORY_FIELDS)
        trajectory["origin"] = _ORIGINS.get(trajectory["origin"], trajectory["origin"])
    return {**facts, "verdicts": verdicts, "trajectory": trajectory}


def _renamed(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in fields.items()}
