"""Time Integrated Gradients (32 steps) and SHAP (256 coalitions) of one image against captum's defaults, interleaved.

The reference calls captum as its documentation shows: image by image, fp32, torch's default memory layout, all steps of
Integrated Gradients in one batch, and one coalition at a time, because ``perturbations_per_eval`` is 1 by default. The
time for its baseline and superpixels is not counted; the program's time includes them. Both run the same ResNet-18,
from an image in memory to attributions in memory. The correlation of the rendered maps with those of fp32 is printed
too.

    python -m benchmarks.explanation_speed --threads 2 --json now.json --compare before.json
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients, ShapleyValueSampling

from benchmarks.machine import describe_machine
from benchmarks.measure import add_options, clock_of, in_turn, report
from core.classes import CLASSES
from core.models.devices import resolve_device
from core.output.image_file import read_pixels
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
LIBRARY, PROGRAM_FP32, PROGRAM = "captum's defaults", "program fp32", "program auto"


def library_runs(
    weights: ClassifierWeights, image: torch.Tensor, options: AttributionOptions, device: torch.device
) -> dict[str, Callable[[], None]]:
    """Both methods with captum's defaults, on the normalised image."""
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
    """Correlation of the maps of two sides, with the smoothing of the overlays."""
    maps = {name: [smoothed(side[name]().values, METHOD_SMOOTHING_PX).ravel() for side in (one, other)] for name in one}
    return {name: float(np.corrcoef(np.stack(both))[0, 1]) for name, both in maps.items()}


def measure(
    sides: Mapping[str, Mapping[str, Callable[[], object]]], options: argparse.Namespace
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds of both methods together for each side, measured in turn, and the seconds of each method."""
    runs = {(side, name): once for side, methods in sides.items() for name, once in methods.items()}
    by_label = {f"{side}, {name}": once for (side, name), once in runs.items()}
    taken = dict(zip(runs, in_turn(by_label, options.repeats, clock_of(options)).values(), strict=True))
    figures, notes = {}, {}
    for side, methods in sides.items():
        of_side = {name: taken[side, name] for name in methods}
        figures[side] = [sum(parts) for parts in zip(*of_side.values(), strict=True)]
        notes[side] = ", ".join(f"{name} {statistics.median(values):.2f}" for name, values in of_side.items())
    return figures, notes


def print_aims(figures: Mapping[str, list[float]]) -> None:
    """Print whether the program reaches its target times."""
    reference, middle = (statistics.median(figures[side]) for side in (LIBRARY, PROGRAM))
    for aim, met in (
        (f"at most {AIM_SECONDS:g} s", middle <= AIM_SECONDS),
        (f"at least {AIM_RATIO:g}x", reference / middle >= AIM_RATIO),
    ):
        print(f"{PROGRAM} {aim}: {'yes' if met else 'no'}")


def main() -> int:
    """Measure, print a table, and write the figures to the file of ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ig-steps", type=int, default=AttributionOptions.ig_steps)
    parser.add_argument("--shap-samples", type=int, default=AttributionOptions.shap_samples)
    parser.add_argument("--shap-regions", type=int, default=AttributionOptions.shap_regions)
    parser.add_argument("--checkpoints", type=Path, help="folder with classifier.pth (default: random weights)")
    parser.add_argument("--device", default="cpu")
    add_options(parser, repeats=5)
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
    sides: dict[str, Mapping[str, Callable[[], object]]] = {
        LIBRARY: library_runs(weights, image, options, device),
        PROGRAM_FP32: exact,
        PROGRAM: fast,
    }
    figures, notes = measure(sides, arguments)
    same = ", ".join(f"{name} {value:.4f}" for name, value in agreement(exact, fast).items())
    notes[PROGRAM] += f"; correlation with fp32: {same}"
    report(figures, describe_machine(device), arguments, "s per image", notes)
    print_aims(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
