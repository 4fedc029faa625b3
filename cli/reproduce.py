"""``main.py reproduce``: reproduce images and print for each whether it is the same."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from core.errors import ArgumentError, IsicGuiError
from core.io.plain_text import printable
from core.paths import CHECKPOINTS
from core.process.exit_codes import DONE, FAILED


def reproduce(options: argparse.Namespace) -> int:
    """Reproduce every named image; return 0 if all are equal, otherwise 1."""
    missing = [image for image in options.images if not image.exists()]
    if missing:
        raise ArgumentError(f"There is no image {missing[0]}.")
    from core.models.checkpoints import ModelCache  # loads torch

    cache = ModelCache()
    results = [_one(image, cache, options) for image in options.images]
    if not options.json:
        print(f"{sum(results)} of {len(results)} images reproduced.")
    return DONE if all(results) else FAILED


def _one(image: Path, cache: object, options: argparse.Namespace) -> bool:
    from core.generation.reproduction import reproduce as repeat

    try:
        result = repeat(image, options.checkpoints or CHECKPOINTS, cache, options.device)  # type: ignore[arg-type]
    except IsicGuiError as error:
        failed = {"image": str(image), "equal": False, "error": str(error)}
        print(json.dumps(failed) if options.json else f"✗ {printable(str(error))}", flush=True)
        return False
    if options.json:
        print(json.dumps({**asdict(result), "image": str(image), "equal": result.equal}), flush=True)
    else:
        print(
            f"{'✓' if result.equal else '✗'} {printable(str(image))}: "
            f"maximum difference {result.maximum_difference}/255, "
            f"tolerance {result.tolerance}/255 ({result.precision} on {result.device})",
            flush=True,
        )
    return result.equal
