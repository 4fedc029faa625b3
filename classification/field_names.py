"""Field names of stored results. Files of earlier versions have other names, which are still read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_CURRENT: Final = {"passes": "epochs", "beginning": "initial_weights"}
"""The current name of each former one."""


def current_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values with the current field names, also in the mappings inside."""
    return {
        _CURRENT.get(name, name): current_names(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
    }
