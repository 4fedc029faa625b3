"""``main.py explain``: overlays of images of any source, one output line per image."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import ArgumentError, IsicGuiError
from core.io.plain_text import printable
from core.paths import CHECKPOINTS, XAI_RESULTS
from core.process.exit_codes import DONE, FAILED

if TYPE_CHECKING:
    from xai.classifier import Classifier
    from xai.explain import ExplainSettings


def explain(options: argparse.Namespace) -> int:
    """Explain every named image; return 0 if all could be explained, otherwise 1."""
    missing = [image for image in options.images if not image.exists()]
    if missing:
        raise ArgumentError(f"There is no image {missing[0]}.")
    if options.checkpoints and not options.checkpoints.is_dir():
        raise ArgumentError(f"There is no checkpoints folder {options.checkpoints}.")
    from core.io.atomic_files import require_writable
    from core.models.devices import resolve_device
    from xai.classifier import load_classifier  # loads torch
    from xai.explain import result_names

    settings = settings_from(options)
    output = options.output or XAI_RESULTS
    require_writable(output)
    classifier = load_classifier(options.checkpoints or CHECKPOINTS, resolve_device(options.device), options.precision)
    _introduce(classifier, as_json=options.json)
    results = [
        _one(image, name, output, classifier, settings, as_json=options.json)
        for image, name in zip(options.images, result_names(options.images), strict=True)
    ]
    if not options.json:
        print(f"{sum(results)} of {len(results)} images explained in {printable(str(output))}.")
    return DONE if all(results) else FAILED


def settings_from(options: argparse.Namespace) -> ExplainSettings:
    """Return the settings given by the options, with defaults for omitted options.

    Raises:
        ArgumentError: a method, target or number is not valid.
    """
    from xai.attribution import AttributionOptions
    from xai.explain import ExplainSettings

    given = vars(options)
    values = {
        field.name: given[field.name] for field in fields(AttributionOptions) if given.get(field.name) is not None
    }
    methods = tuple(dict.fromkeys(name.strip().lower() for name in options.methods.split(",")))
    target = options.target.strip()
    target = target.lower() if target.lower() in {"predicted", "label"} else target.upper()
    return ExplainSettings(methods, target, AttributionOptions(**values))


def _introduce(classifier: Classifier, *, as_json: bool) -> None:
    if as_json:
        known: dict[str, Any] = {"source": classifier.source, "sha256": classifier.sha256}
        known |= {"head_trained": classifier.head_trained, "precision": str(classifier.dtype).removeprefix("torch.")}
        print(json.dumps({"event": "classifier", **known, "notices": classifier.notices}), flush=True)
        return
    print(f"Classifier: {printable(classifier.source)}, on {classifier.device}.")
    for notice in classifier.notices:
        print(f"! {printable(notice)}")


def _one(
    image: Path, name: str, output: Path, classifier: Classifier, settings: ExplainSettings, *, as_json: bool
) -> bool:
    from xai.explain import explain_image, save_explanation

    try:
        explanation = explain_image(image, classifier, settings)
        files = save_explanation(explanation, output, name)
    except IsicGuiError as error:
        failed = {"event": "image_failed", "path": str(image), "error": str(error)}
        print(json.dumps(failed) if as_json else f"✗ {printable(str(error))}", flush=True)
        return False
    facts = explanation.facts
    if as_json:
        places = {key: str(value) for key, value in asdict(files).items()}
        print(json.dumps({"event": "explained", "path": str(image), "files": places, **facts}), flush=True)
    else:
        target = facts["target"]
        print(
            f"✓ {printable(str(image))}: {target['class']} ({target['rule']}, {target['probability']:.1%}) "
            f"in {facts['seconds']:.1f} s, {printable(files.overlay.name)}",
            flush=True,
        )
    return True
