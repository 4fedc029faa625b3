"""From a training state to the files that the program uses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from core.classes import CLASSES
from core.colour import measure
from core.demo_set import DESCRIPTION_FILE, WEIGHTS_FILE
from diffusion.data import load_pixels, read_ham10000, split_by_lesion
from diffusion.train import STATE_FORMAT

_LICENCE = "CC BY-NC 4.0"
_DATA = "HAM10000 (Tschandl et al. 2018, doi:10.1038/sdata.2018.161), CC BY-NC 4.0"


def export_demo_set(state_file: Path, folder: Path) -> None:
    """Write a run's averaged weights in fp16, with their description, as the bundled demonstration set.

    Raises:
        ValueError: the file is not a training state.
    """
    state = torch.load(state_file, map_location="cpu", weights_only=True)
    if state.get("format") != STATE_FORMAT:
        raise ValueError(f"{state_file} is not a training state ({STATE_FORMAT}).")
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.half().contiguous() for name, tensor in state["average"]["shadow"].items()}
    (folder / WEIGHTS_FILE).write_bytes(save(weights))
    description = {
        "config": state["config"],
        "scheduler": state["scheduler"],
        "provenance": {"data": _DATA, "licence": _LICENCE, "step": state["step"], "training": _training(state)},
    }
    (folder / DESCRIPTION_FILE).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def write_color_statistics(data: Path, file: Path, size: int, cache: Path) -> None:
    """Measure the training part of a data folder, class by class, and write ``color_statistics.json``."""
    training, _ = split_by_lesion(read_ham10000(data))
    table: dict[str, Any] = {}
    for class_name in CLASSES:
        images = [image for image in training if image.class_name == class_name]
        if images:
            table[class_name] = {"rgb": measure(load_pixels(images, size, cache)).to_json()}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def _training(state: dict[str, Any]) -> dict[str, Any]:
    config = state["training_config"]
    return {key: config[key] for key in ("stages", "prediction_type", "seed", "ema_decay", "precision")}
