"""The report of an analysis, written from ``analysis.json`` and the pictures and maps beside it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.classes import CLASS_NAMES
from core.generation.wording import reuse_in_words
from core.report import Estimate, write_report
from xai import report_sections
from xai.job import REPORT_FILE

Facts = Mapping[str, Any]


def write_analysis_report(folder: Path, facts: Facts) -> None:
    """Write ``report.html`` into the folder of the results.

    Args:
        folder: with the pictures and maps of the analysis.
        facts: the content of ``analysis.json``.

    Raises:
        OSError: a picture cannot be read, or the folder cannot be written.
    """
    sections = [report_sections.overlay(folder, facts)]
    if facts["trajectory"]:
        sections += [report_sections.denoising(folder, facts), report_sections.time_shap(facts)]
    sections += [report_sections.causal(facts), report_sections.faithfulness(facts), report_sections.recomputing()]
    name = f"{facts['label']}/{facts['image']}" if facts["label"] else facts["image"]
    write_report(
        folder / REPORT_FILE,
        f"Explanation of {name}",
        _summary(facts),
        sections,
        provenance=_provenance(facts),
        warnings=[*facts["notices"], *facts["trajectory_warnings"]],
    )


def _summary(facts: Facts) -> list[str]:
    lines = [_of_classifier(facts)]
    if facts["trajectory"]:
        lines += [_of_trajectory(facts["trajectory"]), _of_time_shap(facts["time_shap"], facts["target"]["class"])]
    else:
        lines.append("There is no denoising trajectory of this image, so nothing is said of how it arose.")
    verdicts = facts["verdicts"]
    good = sum(verdict["speaks_for_the_map"] for verdict in verdicts)
    trust = "can be trusted" if good == len(verdicts) else "is to be read with care" if good else "is not to be trusted"
    checks = (
        f"{good} of {len(verdicts)} checks speak for the map: as a picture of what the classifier uses, it {trust}."
    )
    return [*lines, f"{checks} Whether the classifier is right is another question."]


def _of_classifier(facts: Facts) -> str:
    target, predicted, label = facts["target"], facts["predicted"], facts["label"]
    text = f"The classifier gives {predicted} ({CLASS_NAMES[predicted]}) {facts['probabilities'][predicted]:.1%}"
    if label == predicted:
        text += ", the class that the image is filed under"
    elif label:
        text += f"; the image is filed under {label}"
    if target["class"] != predicted:
        text += f". Explained is {target['class']}, which it gives {target['probability']:.1%}"
    return f"{text}."


def _of_trajectory(trajectory: Facts) -> str:
    how = "was recorded when the image was made" if trajectory["origin"] == "recorded" else "was made again"
    return (
        f"The denoising trajectory of {trajectory['steps']} steps {how}, and its end was compared with the saved "
        f"image first: the largest difference is {trajectory['maximum_difference']} of 255 grey levels."
    )


def _of_time_shap(result: Facts, target: str) -> str:
    values, errors = np.array(result["contributions"]), result["standard_errors"]
    most = int(np.abs(values).argmax())
    group = result["groups"][most]
    return (
        f"Of the {len(values)} groups of steps, {group['first_step']} to {group['last_step']} moved the score of "
        f"{target} most: by {Estimate(values[most], digits=2)} ± {errors[most]:.2f}; all together moved it by "
        f"{Estimate(values.sum(), digits=2)} (logits)."
    )


def _provenance(facts: Facts) -> dict[str, object]:
    classifier, made = facts["classifier"], facts["parameters"]
    head = "trained" if classifier["head_trained"] else "untrained"
    found: dict[str, object] = {
        "Image": f"{facts['image']}, sha256 {facts['image_sha256']}",
        "Classifier": f"{classifier['source']}, sha256 {classifier['sha256'] or 'none'}, head {head}, "
        f"{classifier['precision']} on {classifier['device']}",
    }
    if made:
        place = f"{made['precision']} on {made['device']}, ISICGUI {made['isicgui_version']}"
        found |= {
            "Made by": f"{made['checkpoint']}, sha256 {made['checkpoint_sha256']}",
            "Made with": f"seed {made['seed']}, {made['sampler']}, {made['steps']} steps"
            f"{reuse_in_words(made['reuse'])}, {place}, "
            f"torch {made['torch_version']}",
        }
    return found | {"Settings": facts["settings"], "Seconds": facts["seconds"]}
