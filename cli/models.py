"""``main.py models``: list the checkpoints of all classes."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from core.classes import CLASSES
from core.errors import ArgumentError
from core.io.plain_text import printable
from core.paths import CHECKPOINTS
from core.process.exit_codes import DONE, FAILED

if TYPE_CHECKING:
    from pathlib import Path

    from core.models.checkpoints import ClassStatus


def list_models(options: argparse.Namespace) -> int:
    """Print one line per class; return 0 if at least one checkpoint can be used, otherwise 1."""
    folder = options.checkpoints or CHECKPOINTS
    if options.checkpoints and not folder.is_dir():
        raise ArgumentError(f"There is no checkpoints folder {folder}.")
    from core.models.checkpoints import class_status, problems_of_foreign_unets  # loads torch

    usable = 0
    for class_name in CLASSES:
        status = class_status(folder, class_name)
        usable += status.problem is None
        print(json.dumps(_as_json(status)) if options.json else printable(_as_text(status, folder)), flush=True)
    if not options.json:
        for problem in problems_of_foreign_unets(folder):
            print(printable(f"✗ {problem}"))
        print(f"{usable} of {len(CLASSES)} classes can be generated from {printable(str(folder))}.")
    return DONE if usable else FAILED


def _as_json(status: ClassStatus) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "class": status.class_name,
        "file": str(status.file),
        "usable": status.problem is None,
        "problem": status.problem,
        "bytes": status.bytes,
        "sha256": status.sha256,
    }
    if status.checkpoint:
        facts |= {
            "form": status.checkpoint.form,
            "parameters": status.checkpoint.parameters,
            "image_size": status.checkpoint.image_size,
            "latent": status.checkpoint.autoencoder is not None,
            "lesion_masks": status.checkpoint.has_masks,
            "architecture": status.checkpoint.config,
            "scheduler": status.checkpoint.scheduler,
            "demonstration": status.checkpoint.is_demo,
            "provenance": status.checkpoint.provenance,
        }
    return facts


def _as_text(status: ClassStatus, folder: Path) -> str:
    if status.checkpoint is None:
        return f"{status.class_name:6}✗ {status.problem}"
    checkpoint = status.checkpoint
    autoencoder = checkpoint.autoencoder
    latent = f" on latents, {autoencoder.class_name} {autoencoder.parameters / 1e6:.2f} M" if autoencoder else ""
    channels = "-".join(str(width) for width in checkpoint.config["block_out_channels"])
    return (
        f"{status.class_name:6}✓ {status.file.relative_to(folder)}, {status.bytes / 2**20:.1f} MiB, "
        f"sha256 {status.sha256[:12]}…, "
        f"UNet2DModel {channels}, {checkpoint.parameters / 1e6:.2f} M parameters{latent}, {checkpoint.image_size} px, "
        f"{checkpoint.scheduler.get('prediction_type', 'epsilon')}, {checkpoint.form}"
        f"{', lesion masks' if checkpoint.has_masks else ''}"
        f"{', demonstration weights' if checkpoint.is_demo else ''}"
    )
