"""Build the sections of an analysis report, each from its part of ``analysis.json``."""

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
    ("Probabilities", "probabilities", "stored directly"),
    ("Time-SHAP contribution", "time_shap.estimates", "mean over the rows (pairs of orders)"),
    (
        "Its standard error",
        "time_shap.estimates",
        "standard deviation (n - 1) over the rows, divided by the square root of the number of rows",
    ),
    ("Efficiency", "time_shap", "the contributions add up to score minus baseline_score"),
    ("Mean fall", "causal.interventions.*.falls", "mean over top_regions, or bottom_regions"),
    (
        "Causal shift index",
        "causal.interventions.*.falls",
        "mean fall of the top regions minus mean fall of the bottom regions",
    ),
    ("Deletion, insertion AUC", "faithfulness.*.scores", "trapezoidal rule over equal shares from 0 to 1"),
    (
        "Random orders",
        "faithfulness.*.random_scores",
        "AUC of each row; mean and standard deviation over the rows",
    ),
)


def overlay(folder: Path, facts: Facts) -> Section:
    """Show the map, the probabilities and each method."""
    target, explanation = facts["target"]["class"], facts["explanation"]
    caption = "Probabilities of the classes."
    if not facts["classifier"]["head_trained"]:
        caption = "Probabilities of the classes. The head of this classifier is untrained: ignore these values."
    rows = [(name, CLASS_NAMES[name], Estimate(facts["probabilities"][name], percent=True)) for name in CLASSES]
    legend = f"Evidence for {target} (red) and against it (blue)"
    large = [
        Picture(folder / IMAGE_FILE, "The image", width=_LARGE_PX),
        Picture(folder / MAP_FILE, legend, width=_LARGE_PX),
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
        "Regions used by the classifier",
        [
            Gallery(large, f"The map is the {explanation['combined']['summary']}. The grey image is under it."),
            Gallery(
                methods,
                "Each method alone, scaled to its own strongest pixels. Convergence delta: the part of the score that "
                "Integrated Gradients do not explain. Standard error: of the contribution of a superpixel, over "
                "independent pairs of orders.",
            ),
            Table(("Class", "Diagnosis", "Probability"), rows, caption),
        ],
    )


def denoising(folder: Path, facts: Facts) -> Section:
    """Show the trajectory: probabilities, kept steps and all steps."""
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
        "How the image was formed during denoising",
        [
            Picture(
                figures.probabilities_over_steps(facts["steps"], target),
                "Probability of each class for the estimate of the finished image after every step. Dots mark the "
                "kept steps. Early estimates are blurred or noisy. The classifier has hardly seen such images in "
                "training.",
            ),
            Picture(
                figures.kept_steps(tiles),
                f"Kept steps: the estimate, and the evidence in it for {target} (red) or against it (blue). {how}. "
                "Each map is scaled to its own strongest pixels.",
            ),
            Picture(
                _as_jpeg(Image.open(folder / MOSAIC_FILE)),
                "The estimate after every step, with its number and timestep. Frames mark the kept steps. The last one "
                "is the saved image.",
            ),
        ],
    )


def time_shap(facts: Facts) -> Section:
    """Show the contributions of groups of steps."""
    result, target = facts["time_shap"], facts["target"]["class"]
    n, gap = result["pairs_of_orders"], abs(result["efficiency_gap"])
    missing = "less than 0.001" if gap < 0.001 else str(Estimate(gap))
    columns = zip(result["groups"], result["contributions"], result["standard_errors"], strict=True)
    rows = [(f"{group['first_step']} to {group['last_step']}", value, error, n) for group, value, error in columns]
    rows.append(("all", float(np.sum(result["contributions"])), None, n))
    return Section(
        "Time-SHAP: what each group of steps contributed",
        [
            "A group of steps is present if its change of the estimate is part of the image, and absent if that change "
            "is removed. Without any group, a uniform image in the colour of the skin remains. Shapley values divide "
            f"the difference between the score (logit) of the saved image, {Estimate(result['score'])}, and the score "
            f"of the uniform image, {Estimate(result['baseline_score'])}, among the groups. Their sum differs from it "
            f"by {missing}. The model itself would not generate images in which early groups are absent. The values "
            "therefore explain the saved image, not what the model would have generated without those steps.",
            Picture(
                figures.time_shap_bars(result, target),
                f"Contribution of each group of steps to the score of {target}, with the standard error over {n} pairs "
                "of orders.",
            ),
            Table(
                ("Steps", f"Contribution to the {target} logit", "Standard error", "n, pairs"),
                rows,
                "The same values as numbers.",
            ),
        ],
    )


def causal(facts: Facts) -> Section:
    """Compare the fall of the score in the regions that the map ranks high and low."""
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
            f"The image is divided into {n} regions. Each region is changed in four ways, one region at a time: noise, "
            "blur, shuffled pixels, and the constant colour of the skin. The fall of the score is measured; the logit "
            f"of the unchanged image is {Estimate(check['score'])}. The causal shift index is the mean fall of the {k} "
            f"regions that the map ranks highest minus the mean fall of the {k} regions that it ranks lowest. The "
            "regions are the cases of the tests. Neighbouring regions are not independent, so the intervals are too "
            "narrow and the p-values too small.",
            Picture(figures.causal_dots(check), "Fall of the score, one dot per region. Lines: means of the groups."),
            Table(
                ("Intervention", "Mean fall, top", "Mean fall, bottom", "Causal shift index", "Random groups"),
                effects,
                f"Two groups of n = {k} regions, with 95% intervals: percentile bootstrap over regions for the index; "
                "for random groups, the index of two groups drawn without regard to the map.",
            ),
            Table(
                ("Intervention", *_TESTS),
                tests,
                "One-sided tests of the index. Holm: permutation p adjusted for the four interventions. "
                f"Rank correlation: Spearman, between attribution and fall over all n = {n} regions.",
            ),
        ],
    )


def faithfulness(facts: Facts) -> Section:
    """Show verdicts, curves, stability and parameter randomisation."""
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
    verdicts = [(entry["question"], entry["found"], entry["supports_map"]) for entry in facts["verdicts"]]
    return Section(
        "How far the map can be trusted",
        [
            Table(("Question", "Result", "Supports the map"), verdicts, "The checks counted in the summary."),
            Picture(
                figures.fidelity_curves(checks, target),
                f"p({target}) while regions of a {checks['grid']} by {checks['grid']} grid are replaced by the "
                f"{checks['baseline']} baseline (deletion) or restored from it (insertion), the highest-ranked regions "
                f"first. Grey: mean and range of {n} random orders.",
            ),
            Table(
                ("Curve", "Good is", "AUC of the map", "AUC of random orders"), areas, "Areas under the curves (AUC)."
            ),
            f"Sensitivity-max is {worst:.2f}: noise of up to five grey levels changes the map of Integrated Gradients "
            f"by at most {worst:.0%} of its norm ({checks['sensitivity_repeats']} noisy images, "
            f"{checks['sensitivity_ig_steps']} steps).",
            Table(
                ("Layers with shuffled weights", "Rank correlation", "Of magnitudes"),
                levels,
                "Parameter randomisation: correlation between the map of Integrated Gradients and the map of the same "
                "network with shuffled weights in these layers, from the last (fc) to the first (conv1). Near 0: the "
                "map depends on the trained weights. Near 1: the map depends only on the image.",
            ),
        ],
    )


def recomputing() -> Section:
    """Describe how to recompute each number."""
    return Section(
        "How to recompute these numbers",
        [
            "The file analysis.json in the same folder contains every number of this report and the values from which "
            "it is computed. The CSV files contain the same values as tables.",
            Table(("Number", "Field in analysis.json", "Computation"), _RECOMPUTE, "How each number is computed."),
        ],
    )


_TESTS: Final = {
    "Welch t": ("welch_t", 2),
    "p, Welch": ("welch_p", 4),
    "p, permutation": ("permutation_p", 4),
    "p, Holm": ("permutation_p_holm", 4),
    "Rank correlation": ("rank_correlation", 2),
}
"""Column title to the field in ``analysis.json`` and the number of digits shown."""


def _number(value: float | None, digits: int) -> Estimate | None:
    return None if value is None else Estimate(value, digits=digits)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _as_jpeg(picture: Image.Image) -> bytes:
    """Encode an image as JPEG, which takes a fifth of the size of its PNG."""
    stream = io.BytesIO()
    with picture:
        picture.save(stream, format="JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()
