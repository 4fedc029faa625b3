"""The sections of an analysis report, each from its part of ``analysis.json``."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from core.classes import CLASS_NAMES, CLASSES
from core.report import Estimate, Gallery, Picture, Section, Table
from xai import figures
from xai.combine import normalised, smoothed
from xai.job import MAP_FILE, NAME
from xai.overlay import METHOD_SMOOTHING_PX, blend
from xai.results import IMAGE_FILE, MOSAIC_FILE, step_file

Facts = Mapping[str, Any]
_JPEG_QUALITY: Final = 88
_LARGE_PX, _SMALL_PX = 400, 300
_RECOMPUTE: Final = (
    ("Probabilities", "probabilities", "as they stand"),
    ("Time-SHAP contribution", "time_shap.estimates", "mean over the rows (pairs of orders)"),
    (
        "Its standard error",
        "time_shap.estimates",
        "deviation (n - 1) over the rows, divided by the root of their number",
    ),
    ("Efficiency", "time_shap", "the contributions add up to score less baseline_score"),
    ("Mean fall", "causal.interventions.*.falls", "mean over top_regions, or bottom_regions"),
    ("Causal shift index", "causal.interventions.*.falls", "mean fall of the top regions less that of the bottom ones"),
    ("Deletion, insertion AUC", "faithfulness.*.scores", "trapezoids over equal shares from 0 to 1"),
    ("Random orders", "faithfulness.*.random_scores", "the same for each row; mean and deviation over the rows"),
)


def overlay(folder: Path, facts: Facts) -> Section:
    """Map, probabilities and methods."""
    target, explanation = facts["target"]["class"], facts["explanation"]
    caption = "Probabilities of the classes."
    if not facts["classifier"]["head_trained"]:
        caption = "Probabilities of the classes; the head of this classifier is untrained, so they mean nothing."
    rows = [(name, CLASS_NAMES[name], Estimate(facts["probabilities"][name], percent=True)) for name in CLASSES]
    said = f"What speaks for {target} (red) and against it (blue)"
    large = [
        Picture(folder / IMAGE_FILE, "The image", width=_LARGE_PX),
        Picture(folder / MAP_FILE, said, width=_LARGE_PX),
    ]
    image = _pixels(folder / IMAGE_FILE)
    with np.load(folder / f"{NAME}_attributions.npz") as maps:
        methods = [
            Picture(
                _as_jpeg(Image.fromarray(blend(image, normalised(smoothed(maps[method], METHOD_SMOOTHING_PX))))),
                f"{details['title']}: {details['summary']}",
                width=_SMALL_PX,
            )
            for method, details in explanation["methods"].items()
        ]
    return Section(
        "Where the classifier looks",
        [
            Gallery(large, f"The map is the {explanation['combined']['summary']}; the image in grey below it."),
            Gallery(
                methods,
                "Each method alone, by its own strongest pixels, and what it rests on. Convergence delta: what "
                "Integrated Gradients miss of the score. Standard error: of a superpixel's contribution, over "
                "independent pairs of orders.",
            ),
            Table(("Class", "Diagnosis", "Probability"), rows, caption),
        ],
    )


def denoising(folder: Path, facts: Facts) -> Section:
    """The trajectory: probabilities, kept steps and all steps."""
    target, kept = facts["target"]["class"], [step for step in facts["steps"] if step["kept"]]
    tiles = [
        (
            f"step {step['step']}\np {step['probabilities'][target]:.2f}",
            _pixels(step_file(folder, step["step"], "estimate")),
            _pixels(step_file(folder, step["step"], "overlay")),
        )
        for step in kept
    ]
    how = f"Integrated Gradients with {facts['step_overlays']['steps']} steps, smoothed"
    return Section(
        "How it arose during denoising",
        [
            Picture(
                figures.probabilities_over_steps(facts["steps"], target),
                "Probability of each class for the estimate of the finished image after every step. Dots: the kept "
                "steps. Early estimates are blurred or noisy, which the classifier has hardly seen in training.",
            ),
            Picture(
                figures.kept_steps(tiles),
                f"Kept steps: the estimate, and what in it speaks for {target} (red) or against it (blue); {how}, each "
                "map by its own strongest pixels.",
            ),
            Picture(
                _as_jpeg(Image.open(folder / MOSAIC_FILE)),
                "The estimate after every step, with its number and timestep. Framed: the kept ones. The last is the "
                "saved image.",
            ),
        ],
    )


def time_shap(facts: Facts) -> Section:
    """Contributions of groups of steps."""
    result, target = facts["time_shap"], facts["target"]["class"]
    n, gap = result["pairs_of_orders"], abs(result["efficiency_gap"])
    missing = "less than 0.001" if gap < 0.001 else str(Estimate(gap))
    columns = zip(result["groups"], result["contributions"], result["standard_errors"], strict=True)
    rows = [(f"{group['first_step']} to {group['last_step']}", value, error, n) for group, value, error in columns]
    rows.append(("all", float(np.sum(result["contributions"])), None, n))
    return Section(
        "Time-SHAP: what each group of steps contributed",
        [
            "A group of steps is present when the change that it made to the estimate is part of the picture, and "
            "absent when that change is taken out; without any, a flat picture of the skin's colour is left. Shapley "
            f"values divide the difference between the score (logit) of the saved image, {Estimate(result['score'])}, "
            f"and that of the flat picture, {Estimate(result['baseline_score'])}, over the groups; their sum differs "
            f"from it by {missing}. Pictures with early groups absent are none that the model would make: this "
            "explains the saved image, not how the model would have gone on without those steps.",
            Picture(
                figures.time_shap_bars(result, target),
                f"Contribution of each group of steps to the score of {target}, and its standard error over {n} pairs "
                "of orders.",
            ),
            Table(
                ("Steps", f"Contribution to the {target} logit", "Standard error", "n, pairs"),
                rows,
                "The same in numbers.",
            ),
        ],
    )


def causal(facts: Facts) -> Section:
    """Falls of the score in the regions that the map ranks high and low."""
    check = facts["causal"]
    k, n = check["k"], len(check["region_attributions"])
    effects, tests = [], []
    for name, result in check["interventions"].items():
        falls, control = np.array(result["falls"]), result["random_control"]
        means = [float(falls[check[group]].mean()) for group in ("top_regions", "bottom_regions")]
        index = Estimate(result["causal_shift_index"], *result["interval"])
        effects.append((name, *means, index, Estimate(control["mean"], control["low"], control["high"])))
        tests.append((name, *(_number(result[column], digits) for column, digits in _TESTS.values())))
    return Section(
        "Causal check: does the score follow the map?",
        [
            f"The image is divided into {n} regions. Each is spoilt in four ways, one region at a time: by noise, by "
            "blur, by shuffling its pixels, and by the constant colour of the skin; and the fall of the score, "
            f"a logit of {Estimate(check['score'])} before, is measured. The causal shift index is the "
            f"mean fall of the {k} regions that the map ranks highest less that of the {k} it ranks lowest. Regions "
            "are the cases; neighbouring ones are not independent, so that intervals and p-values are somewhat too "
            "sure of themselves.",
            Picture(figures.causal_dots(check), "Fall of the score, a dot a region; lines: means of the groups."),
            Table(
                ("Intervention", "Mean fall, top", "Mean fall, bottom", "Causal shift index", "Random groups"),
                effects,
                f"Two groups of n = {k} regions, with 95% intervals: percentile bootstrap over regions for the index; "
                "for random groups, the index where both are drawn without regard to the map.",
            ),
            Table(
                ("Intervention", *_TESTS),
                tests,
                "Tests of the index, one-sided; Holm: the permutation p, valid for the four interventions together. "
                f"Rank correlation: Spearman's, of attribution and fall over all n = {n} regions.",
            ),
        ],
    )


def faithfulness(facts: Facts) -> Section:
    """Verdicts, curves, stability and parameter randomisation."""
    checks, target = facts["faithfulness"], facts["target"]["class"]
    n, worst = len(checks["deletion"]["random_aucs"]), checks["sensitivity_max"]
    areas = []
    for name, good in (("deletion", "low"), ("insertion", "high")):
        curve = checks[name]
        random = f"{curve['random_auc_mean']:.3f} ± {curve['random_auc_sd']:.3f}, n = {n}"
        areas.append((name, good, curve["auc"], random))
    levels = [
        (", ".join(level["layers"]), _number(level["correlation"], 2), _number(level["absolute_correlation"], 2))
        for level in checks["parameter_randomisation"]
    ]
    verdicts = [(entry["question"], entry["found"], entry["speaks_for_the_map"]) for entry in facts["verdicts"]]
    return Section(
        "How far the map can be trusted",
        [
            Table(("Question", "Found", "Speaks for the map"), verdicts, "The checks that the summary counts."),
            Picture(
                figures.fidelity_curves(checks, target),
                f"p({target}) while regions of a {checks['grid']} by {checks['grid']} grid are replaced by the "
                f"{checks['baseline']} baseline (deletion) or put back into it (insertion), the highest-ranked first. "
                f"Grey: {n} random orders, their mean and range.",
            ),
            Table(
                ("Curve", "Good is", "AUC of the map", "AUC of random orders"), areas, "Areas under the curves (AUC)."
            ),
            f"Sensitivity-max is {worst:.2f}: disturbing the image by up to five grey levels changes the map of "
            f"Integrated Gradients by at most {worst:.0%} of its norm ({checks['sensitivity_repeats']} disturbed "
            f"images, {checks['sensitivity_ig_steps']} steps).",
            Table(
                ("Layers with shuffled weights", "Rank correlation", "Of magnitudes"),
                levels,
                "Parameter randomisation: the map of Integrated Gradients beside that of the same network after the "
                "weights of these layers, from the last (fc) to the first (conv1), were shuffled. Near 0: the map "
                "depends on what was learnt. Near 1: it shows the image alone.",
            ),
        ],
    )


def recomputing() -> Section:
    """Where each number comes from."""
    return Section(
        "How to recompute these numbers",
        [
            "All numbers of this report stand in analysis.json beside it, with the values that they follow from; the "
            "CSV files hold the same as tables.",
            Table(("Number", "Where in analysis.json", "How"), _RECOMPUTE, "From values to numbers."),
        ],
    )


_TESTS: Final = {
    "Welch t": ("welch_t", 2),
    "p, Welch": ("welch_p", 4),
    "p, permutation": ("permutation_p", 4),
    "p, Holm": ("permutation_p_holm", 4),
    "Rank correlation": ("rank_correlation", 2),
}
"""Column to the name in ``analysis.json`` and the digits shown."""


def _number(value: float | None, digits: int) -> Estimate | None:
    return None if value is None else Estimate(value, digits=digits)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _as_jpeg(picture: Image.Image) -> bytes:
    """A picture at a fifth of the size of its PNG."""
    stream = io.BytesIO()
    with picture:
        picture.save(stream, format="JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()
