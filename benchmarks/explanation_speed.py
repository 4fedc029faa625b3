"""Integrated Gradients (32 steps) and SHAP (256 coalitions) of one image against captum's defaults, interleaved.

The reference calls captum as its documentation shows it, image by image: fp32, torch's default memory layout, all
steps of Integrated Gradients in one batch, and one coalition at a time, because ``perturbations_per_eval`` is 1 by
default. It is given baseline and superpixels for nothing; the program's side makes them itself. Both run the same
ResNet-18, from an image in memory to attributions in memory. How close the faster precision stays to fp32 is printed
as well: the correlation of the maps as they are shown.

    python -m benchmarks.explanation_speed --threads 2
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients, ShapleyValueSampling

from benchmarks.machine import describe_machine
from core.classes import CLASSES
from core.devices import resolve_device
from core.image_file import read_pixels
from core.paths import CLASSIFIER_FILE, PROJECT_ROOT
from xai.attribution import Attribution, AttributionOptions
from xai.baselines import BASELINES
from xai.classifier import MEAN, STD, Classifier, prepare, ready
from xai.classifier_file import ClassifierWeights, read_weights
from xai.combine import PREFERRED, smoothed
from xai.methods import METHODS
from xai.overlay import METHOD_SMOOTHING_PX
from xai.regions import superpixels

IMAGE = PROJECT_ROOT / "tests" / "data" / "ham10000_excerpt" / "images" / "ISIC_0024310.jpg"
TARGET = CLASSES.index("MEL")
AIM_SECONDS, AIM_RATIO = 6.0, 3.0


def library_runs(
    weights: ClassifierWeights, image: torch.Tensor, options: AttributionOptions, device: torch.device
) -> dict[str, Callable[[], None]]:
    """Both methods by captum's defaults, on the normalised image."""
    model = weights.build().to(device)
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    normalised = ((image - mean) / std).to(device)
    baseline = ((BASELINES[options.baseline](image) - mean) / std).to(device)
    regions = superpixels(image, options.shap_regions).to(device)
    orders = options.shap_samples // (int(regions.max()) + 1)

    def by_gradients() -> None:
        IntegratedGradients(model).attribute(normalised, baseline, target=TARGET, n_steps=options.ig_steps)

    def by_coalitions() -> None:
        sampler = ShapleyValueSampling(model)
        sampler.attribute(normalised, baseline, target=TARGET, feature_mask=regions[None, None], n_samples=orders)

    return {"ig": by_gradients, "shap": by_coalitions}


def program_runs(
    classifier: Classifier, image: torch.Tensor, options: AttributionOptions
) -> dict[str, Callable[[], Attribution]]:
    """Both methods as the program calls them."""
    return {name: partial(METHODS[name], classifier, image, TARGET, options) for name in PREFERRED}


def agreement(
    one: dict[str, Callable[[], Attribution]], other: dict[str, Callable[[], Attribution]]
) -> dict[str, float]:
    """Correlation of the maps of two sides, smoothed as little as they are in a picture."""
    maps = {name: [smoothed(side[name]().values, METHOD_SMOOTHING_PX).ravel() for side in (one, other)] for name in one}
    return {name: float(np.corrcoef(np.stack(both))[0, 1]) for name, both in maps.items()}


def measure(sides: Mapping[str, Mapping[str, Callable[[], object]]], repeats: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of each side and method, the sides in turn, after one warm-up each."""
    seconds: dict[str, dict[str, list[float]]] = {side: {name: [] for name in runs} for side, runs in sides.items()}
    for repeat in range(repeats + 1):
        for side, runs in sides.items():
            for name, once in runs.items():
                started = time.perf_counter()
                once()
                if repeat:
                    seconds[side][name].append(time.perf_counter() - started)
    return seconds


def report(seconds: dict[str, dict[str, list[float]]]) -> None:
    """Print medians, spread and ratios to the first side, and whether the aims are met."""
    totals = {side: [sum(parts) for parts in zip(*names.values(), strict=True)] for side, names in seconds.items()}
    reference = statistics.median(next(iter(totals.values())))
    print("seconds an image: median (fastest to slowest)")
    for side, values in totals.items():
        parts = ", ".join(f"{name} {statistics.median(taken):.2f}" for name, taken in seconds[side].items())
        middle = statistics.median(values)
        print(f"{side:20} {middle:6.2f} ({min(values):.2f} to {max(values):.2f})  {reference / middle:5.2f}x  {parts}")
    middle = statistics.median(totals["program auto"])
    for aim, met in (
        (f"at most {AIM_SECONDS:g} s", middle <= AIM_SECONDS),
        (f"at least {AIM_RATIO:g}x", reference / middle >= AIM_RATIO),
    ):
        print(f"program auto {aim}: {'yes' if met else 'no'}")


def main() -> int:
    """Measure, print a table, and write the numbers where ``--output`` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ig-steps", type=int, default=AttributionOptions.ig_steps)
    parser.add_argument("--shap-samples", type=int, default=AttributionOptions.shap_samples)
    parser.add_argument("--shap-regions", type=int, default=AttributionOptions.shap_regions)
    parser.add_argument("--checkpoints", type=Path, help="folder of classifier.pth (default: random weights)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path, help="JSON file for the numbers")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = resolve_device(arguments.device)
    options = AttributionOptions(
        ig_steps=arguments.ig_steps, shap_samples=arguments.shap_samples, shap_regions=arguments.shap_regions
    )
    image = prepare(read_pixels(IMAGE))
    weights = read_weights(arguments.checkpoints / CLASSIFIER_FILE) if arguments.checkpoints else ClassifierWeights({})
    exact, fast = (
        program_runs(ready(weights, device, precision, "benchmark"), image, options) for precision in ("fp32", "auto")
    )
    library = library_runs(weights, image, options, device)
    sides: dict[str, Mapping[str, Callable[[], object]]] = {
        "captum's defaults": library,
        "program fp32": exact,
        "program auto": fast,
    }
    machine = describe_machine(device)
    print(json.dumps(machine))
    seconds = measure(sides, arguments.repeats)
    report(seconds)
    same = agreement(exact, fast)
    print("correlation of auto with fp32:", ", ".join(f"{name} {value:.4f}" for name, value in same.items()))
    if arguments.output:
        arguments.output.write_text(
            json.dumps({"machine": machine, "seconds": seconds, "agreement": same}, indent=2) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
