"""Measure the savings of reusing deep features (seconds per image) and its effect (distance in grey levels of 255).

Seconds are for one image; all settings are measured in turn. Distances are means over the pixels of some images of each
class. They are measured to the images of the same seeds without reuse and, for samplers that draw no noise during
denoising, to those of very many steps. Both fewer steps and reuse deviate from the latter, so they can be compared at
the same cost.

    python -m benchmarks.reuse --checkpoints checkpoints --threads 1
    python -m benchmarks.reuse --random --settings dpmpp:20 --threads 1
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch

from core.models.torchvision_shim import declare_missing_operators

declare_missing_operators()
from diffusers import UNet2DModel  # noqa: E402

from benchmarks.machine import describe_machine  # noqa: E402
from benchmarks.measure import add_options, clock_of, in_turn, report  # noqa: E402
from core.generation.denoising import denoise, to_pixels  # noqa: E402
from core.generation.samplers import Sampler  # noqa: E402
from core.models.architectures import DEFAULT_SCHEDULER, DEFAULT_UNET  # noqa: E402
from core.models.checkpoints import Checkpoint, LoadedModel, read_checkpoint  # noqa: E402
from core.models.devices import resolve_device, resolve_precision  # noqa: E402
from core.models.model_lookup import checkpoint_file  # noqa: E402
from core.paths import CHECKPOINTS  # noqa: E402
from core.presets import NO_REUSE, Preset  # noqa: E402

_SETTINGS: Final = [("ddpm", 50), ("dpmpp", 20), ("unipc", 20), ("unipc", 10)]
_NOISY: Final = "ddpm"  # draws noise at every step, so more steps give a different image


def make(model: LoadedModel, setting: Preset, seeds: Sequence[int], device: torch.device) -> np.ndarray:
    """The images of the seeds as one batch: int16 (B, S, S, 3)."""
    sampler = Sampler(setting.sampler, model.checkpoint.scheduler, setting.steps)
    *_, last = denoise(model.model, sampler, seeds, device, setting.reuse, model.decoder, together=True)
    return to_pixels(last.images).astype(np.int16)


def distances(
    models: Sequence[LoadedModel], settings: Sequence[Preset], images: int, reference_steps: int, device: torch.device
) -> list[str]:
    """A description of the distances of each setting; "-" means that there is nothing to compare with."""
    made: dict[Preset, list[np.ndarray]] = {}

    def of(setting: Preset) -> list[np.ndarray]:
        if setting not in made:
            made[setting] = [make(model, setting, range(images), device) for model in models]
        return made[setting]

    def between(one: Preset, other: Preset) -> str:
        return f"{np.mean([np.abs(a - b).mean() for a, b in zip(of(one), of(other), strict=True)]):.2f}"

    descriptions = []
    for setting in settings:
        without = "-" if setting.reuse == NO_REUSE else between(setting, replace(setting, reuse=NO_REUSE))
        limit = (
            "-" if setting.sampler == _NOISY else between(setting, Preset(setting.sampler, reference_steps, NO_REUSE))
        )
        descriptions.append(f"{without} from no reuse, {limit} from {reference_steps} steps")
    return descriptions


def named(setting: Preset) -> str:
    """The name of a setting in the table."""
    return f"{setting.sampler} {setting.steps}, reuse {setting.reuse}"


def parse_setting(text: str) -> tuple[str, int]:
    """Parse a setting such as ``dpmpp:20``."""
    sampler, _, steps = text.partition(":")
    return sampler, int(steps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write the figures to the file of ``--json``."""
    options = _parser().parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    precision = resolve_precision("auto", device)
    settings = [Preset(sampler, steps, reuse) for sampler, steps in options.settings for reuse in options.reuse]
    checkpoints = [_random()] if options.random else [_read(options.checkpoints, name) for name in options.classes]
    models = [checkpoint.load(device, precision, "") for checkpoint in checkpoints]
    runs: dict[str, Callable[[], object]] = {
        named(setting): partial(make, models[0], setting, [0], device) for setting in settings
    }
    notes = {}
    if not options.random:  # images of untrained weights are meaningless
        notes = dict(
            zip(runs, distances(models, settings, options.images, options.reference_steps, device), strict=True)
        )
    report(in_turn(runs, options.repeats, clock_of(options)), describe_machine(device), options, "s per image", notes)
    return 0


def _read(folder: Path, class_name: str) -> Checkpoint:
    return read_checkpoint(checkpoint_file(folder, class_name))


def _random() -> Checkpoint:
    torch.manual_seed(0)
    weights = UNet2DModel(**DEFAULT_UNET).state_dict()
    return Checkpoint(Path("random"), DEFAULT_UNET, DEFAULT_SCHEDULER, weights, {}, "random weights")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS)
    parser.add_argument("--random", action="store_true", help="time the default UNet with random weights")
    parser.add_argument("--classes", nargs="+", default=["NV", "BCC"], help="the first one is timed (default: NV BCC)")
    parser.add_argument("--images", type=int, default=4, help="images per class to compare (default: %(default)s)")
    parser.add_argument("--settings", type=parse_setting, nargs="+", metavar="SAMPLER:STEPS", default=_SETTINGS)
    parser.add_argument("--reuse", type=int, nargs="+", default=[1, 2, 3, 5])
    parser.add_argument(
        "--reference-steps", type=int, default=100, help="steps of the reference images (default: %(default)s)"
    )
    parser.add_argument("--many", dest="reference_steps", type=int, help=argparse.SUPPRESS)  # the former name
    parser.add_argument("--threads", type=int, help="number of threads (default: chosen by torch)")
    parser.add_argument("--device", default="auto")
    add_options(parser, repeats=3)
    return parser


if __name__ == "__main__":
    sys.exit(main())
