"""``isicgui.explain``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ArgumentError
from core.paths import CHECKPOINTS
from core.presets import AUTO

if TYPE_CHECKING:
    from xai.explain import Explanation, ExplanationFiles


@dataclass(frozen=True)
class ExplainedImage:
    """The explanation of one image.

    Attributes:
        image: the image that was explained.
        predicted: the most probable class.
        target: the class that the attributions explain.
        probabilities: class code to probability; they add up to 1.
        overlay: PNG with the image and its attribution maps.
        attributions: npz with one float32 array (224, 224) for each method, and ``combined``.
        facts: JSON with all numbers and settings.
        notices: what a reader of the results must know, for instance that the classifier is a demonstration.
    """

    image: Path
    predicted: str
    target: str
    probabilities: Mapping[str, float]
    overlay: Path
    attributions: Path
    facts: Path
    notices: tuple[str, ...]


def explain(
    images: Sequence[str | Path],
    output: str | Path,
    *,
    checkpoints: str | Path = CHECKPOINTS,
    methods: Sequence[str] = ("ig", "shap"),
    target: str = "predicted",
    device: str = AUTO,
    precision: str = AUTO,
    seed: int = 0,
    ig_steps: int = 32,
    shap_samples: int = 256,
) -> tuple[ExplainedImage, ...]:
    """Explain which pixels a classifier uses, for images of any kind.

    The classifier is ``classifier.pth`` of the checkpoints folder; without one, the bundled demonstration classifier.
    Earlier results of the same image in the output folder are replaced.

    Args:
        images: image files; generated, real, or any other.
        output: the folder for overlays, attributions and facts.
        checkpoints: the folder that may hold ``classifier.pth``.
        methods: any of ``ig`` (Integrated Gradients), ``shap`` and ``gradcam``.
        target: ``predicted``, ``label`` (the class that the image is filed under) or a class code.
        device: ``auto``, ``cpu`` or ``cuda:N``.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``.
        seed: seed of every random draw.
        ig_steps: steps of Integrated Gradients.
        shap_samples: coalitions that SHAP evaluates.

    Returns:
        One explanation for each image, in the same order.

    Raises:
        ArgumentError: an image or the checkpoints folder does not exist, or a value is out of its range.
        ClassifierError: the classifier is damaged or refused.
        OutputFolderError: the output folder cannot be written.
        ImageFileError: an image cannot be read; the explanations of the images before it are written.
    """
    paths, folder = [Path(image) for image in images], Path(checkpoints)
    if missing := [path for path in paths if not path.is_file()]:
        raise ArgumentError(f"There is no image {missing[0]}.")
    if folder != CHECKPOINTS and not folder.is_dir():
        raise ArgumentError(f"There is no checkpoints folder {folder}.")
    from core.models.devices import resolve_device  # noqa: PLC0415 - loads torch
    from xai.attribution import AttributionOptions  # noqa: PLC0415
    from xai.classifier import load_classifier  # noqa: PLC0415
    from xai.explain import ExplainSettings, explain_image, result_names, save_explanation  # noqa: PLC0415

    options = AttributionOptions(seed, ig_steps=ig_steps, shap_samples=shap_samples)
    settings = ExplainSettings(tuple(methods), target, options)
    classifier = load_classifier(folder, resolve_device(device), precision)
    results = []
    for path, name in zip(paths, result_names(paths), strict=True):
        explanation = explain_image(path, classifier, settings)
        results.append(_result(path, explanation, save_explanation(explanation, Path(output), name)))
    return tuple(results)


def _result(image: Path, explanation: Explanation, files: ExplanationFiles) -> ExplainedImage:
    facts = explanation.facts
    return ExplainedImage(
        image=image,
        predicted=facts["predicted"],
        target=facts["target"]["class"],
        probabilities=facts["probabilities"],
        overlay=files.overlay,
        attributions=files.attributions,
        facts=files.facts,
        notices=tuple(facts["notices"]),
    )
