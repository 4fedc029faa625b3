"""A training that is resumed from a state with a damaged part ends in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import CheckpointError
from diffusion.config import Stage
from diffusion.resume import resume
from diffusion.state import read_state
from tests.diffusion.examples import config, make_networks_tiny, trainer

SPOILED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "without its model": lambda state: {name: value for name, value in state.items() if name != "model"},
    "a model of other names": lambda state: {**state, "model": {"a": torch.zeros(1)}},
    "a text for the optimiser": lambda state: {**state, "optimizer": "x"},
    "an average of other names": lambda state: {**state, "average": {"updates": 0, "shadow": {"a": torch.zeros(1)}}},
    "an average without its number": lambda state: {**state, "average": {"shadow": state["average"]["shadow"]}},
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_damaged_part_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    make_networks_tiny(monkeypatch)
    settings = config(Stage(16, 2, 4, 1e-3, 1e-4))
    fresh = trainer(settings, tmp_path)
    fresh.save()
    file = fresh.places.state
    assert resume(fresh, read_state(file), str(file)) == []
    torch.save(SPOILED[kind](read_state(file)), file)
    with pytest.raises(CheckpointError, match="is a damaged training state") as error:
        resume(fresh, read_state(file), str(file))
    assert "\n" not in str(error.value)
