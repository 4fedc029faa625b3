"""Explain one image: probabilities, attributions, their combination, and the result files."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from core import __version__
from core.classes import CLASS_NAMES, CLASSES
from core.errors import ArgumentError
from core.io.atomic_files import cannot_write, sha256_of, write_whole
from core.io.json_text import encode_json
from core.output.image_file import ImageFileError, read_parameters
from xai.attribution import SCORE, Attribution, AttributionOptions
from xai.classifier import CLASSIFIER_SIZE, Classifier, prepare
from xai.combine import combine, preferred
from xai.images import read_image
from xai.methods import METHODS
from xai.overlay import Caption, overlay_png

EXPLANATION_FORMAT: Final = "isicgui.explanation/1"
PREDICTED: Final = "predicted"
LABEL: Final = "label"
_SMALLEST_PX: Final = 32
_STATES: Final = {True: "trained", False: "untrained"}
_TARGETS: Final = (*CLASSES, PREDICTED, LABEL)


@dataclass(frozen=True)
class ExplainSettings:
    """The settings of an explanation.

    Attributes:
        methods: names of ``xai.methods.METHODS``, in the order of the panels.
        target: a class, ``predicted`` (the most probable class) or ``label`` (the class label of the image).
        options: options of the methods.

    Raises:
        ArgumentError: there is no method, an unknown method, or a target that is not a class.
    """

    methods: tuple[str, ...] = ("ig", "shap")
    target: str = PREDICTED
    options: AttributionOptions = field(default_factory=AttributionOptions)

    def __post_init__(self) -> None:
        unknown = [name for name in self.methods if name not in METHODS]
        if unknown or not self.methods:
            raise ArgumentError(
                f"There is no attribution method {unknown[0] if unknown else ''!r}; choose from {', '.join(METHODS)}."
            )
        if self.target not in _TARGETS:
            raise ArgumentError(f"The target {self.target!r} is not a class; choose from {', '.join(_TARGETS)}.")


@dataclass(frozen=True)
class Explanation:
    """The explanation of one image: arrays, and facts as JSON values.

    Attributes:
        pixels: uint8 (H, W, 3), the image.
        attributions: one per method, for the image at 224 x 224.
        combined: their combination.
        facts: content of the JSON file: probabilities, target, details and times of the methods, notices.
    """

    pixels: np.ndarray = field(repr=False)
    attributions: tuple[Attribution, ...]
    combined: Attribution
    facts: dict[str, Any]


@dataclass(frozen=True)
class ExplanationFiles:
    """The result files of one image."""

    overlay: Path
    attributions: Path
    facts: Path


def explain_image(path: Path, classifier: Classifier, settings: ExplainSettings) -> Explanation:
    """Explain an image file.

    Raises:
        ImageFileError: the image cannot be read.
        ArgumentError: the target is ``label`` and the image has no label.
    """
    started = time.perf_counter()
    pixels = read_image(path)
    image = prepare(pixels)
    logits = classifier.logits(image).detach()[0].cpu()
    probabilities = logits.double().softmax(dim=0).tolist()
    label = label_of(path)
    target = _target(path, settings.target, probabilities, label)
    attributions = tuple(METHODS[name](classifier, image, target, settings.options) for name in settings.methods)
    combined = combine(preferred(attributions))
    facts = {
        "format": EXPLANATION_FORMAT,
        "isicgui_version": __version__,
        "image": path.name,
        "image_sha256": sha256_of(path),
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "label": label,
        "classifier": _about(classifier),
        "score": SCORE,
        "logits": dict(zip(CLASSES, logits.tolist(), strict=True)),
        "probabilities": dict(zip(CLASSES, probabilities, strict=True)),
        "predicted": CLASSES[int(np.argmax(probabilities))],
        "target": {"class": CLASSES[target], "rule": settings.target, "probability": probabilities[target]},
        "options": dataclasses.asdict(settings.options),
        "methods": {attribution.method: attribution.details for attribution in attributions},
        "combined": combined.details,
        "notices": [*classifier.notices, *_notices(pixels, combined)],
        "seconds": time.perf_counter() - started,
    }
    return Explanation(pixels, attributions, combined, facts)


def save_explanation(explanation: Explanation, folder: Path, name: str) -> ExplanationFiles:
    """Write the overlay (PNG), the attributions (npz) and the facts (JSON) atomically; replace earlier files.

    The npz contains float32 (224, 224) per method and for ``combined``.

    Raises:
        OutputFolderError: the folder is not writable.
    """
    files = ExplanationFiles(*(folder / f"{name}_{end}" for end in ("overlay.png", "attributions.npz", "facts.json")))
    arrays: dict[str, Any] = {
        attribution.method: attribution.values for attribution in (*explanation.attributions, explanation.combined)
    }
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(files.overlay, picture(explanation))
        write_whole(files.attributions, stream.getvalue())
        write_whole(files.facts, encode_json(explanation.facts, indent=2))
    except OSError as error:
        raise cannot_write(folder, error) from error
    return files


def picture(explanation: Explanation) -> bytes:
    """Return the overlay figure of an explanation as a PNG."""
    facts = explanation.facts
    target, predicted = facts["target"]["class"], facts["predicted"]
    heading = f"{facts['image']}: why {CLASS_NAMES[target]} ({target}, {facts['target']['probability']:.1%})?"
    if predicted != target:
        heading += f" Predicted: {predicted}, {facts['probabilities'][predicted]:.1%}."
    if facts["label"]:
        heading += f" Label: {facts['label']}."
    about = facts["classifier"]
    classifier = f"Classifier: {about['source']} {about['sha256'][:12]}, head {_STATES[about['head_trained']]}."
    caption = Caption(heading, target, classifier, tuple(facts["notices"]))
    return overlay_png(explanation.pixels, explanation.attributions, explanation.combined, caption)


def label_of(path: Path) -> str | None:
    """Return the class stored in an image of this program, else the class of its folder, else None."""
    names = [path.resolve().parent.name]
    with contextlib.suppress(ImageFileError):
        names.insert(0, read_parameters(path).class_name)
    return next((name for name in names if name in CLASSES), None)


def result_names(paths: Iterable[Path]) -> list[str]:
    """Return a unique name for the results of each image, such as ``MEL_ISIC_0000001`` in a class folder."""
    names: list[str] = []
    for path in paths:
        folder = path.resolve().parent.name
        name = f"{folder}_{path.stem}" if folder in CLASSES else path.stem
        taken = sum(other == name or other.startswith(f"{name}~") for other in names)
        names.append(f"{name}~{taken + 1}" if taken else name)
    return names


def _target(path: Path, wanted: str, probabilities: list[float], label: str | None) -> int:
    if wanted == PREDICTED:
        return int(np.argmax(probabilities))
    if wanted == LABEL and label is None:
        raise ArgumentError(f"{path} has no class label; name the target with --target CLASS.")
    return CLASSES.index(label if wanted == LABEL and label else wanted)


def _about(classifier: Classifier) -> dict[str, Any]:
    return {
        "source": Path(classifier.source).name,
        "sha256": classifier.sha256,
        "head_trained": classifier.head_trained,
        "precision": str(classifier.dtype).removeprefix("torch."),
        "device": str(classifier.device),
    }


def _notices(pixels: np.ndarray, combined: Attribution) -> list[str]:
    height, width = pixels.shape[:2]
    notices = []
    if min(height, width) < _SMALLEST_PX:
        notices.append(
            f"The image has only {width} x {height} pixels and was enlarged to {CLASSIFIER_SIZE} x {CLASSIFIER_SIZE}: "
            "its explanation has little meaning."
        )
    if not combined.values.any():
        notices.append("The map is empty: no part of the image changes the score of the target.")
    return notices
