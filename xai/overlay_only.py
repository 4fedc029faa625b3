"""Create only the overlay and the probabilities of one image, as during generation."""

from __future__ import annotations

from collections.abc import Iterator

from xai.classifier import Classifier
from xai.events import ExplanationEvent, Finished, OverlayMade, Progress
from xai.explain import ExplainSettings, explain_image
from xai.job import ExplanationJob, result_folder
from xai.results import save_overlay


def explain_quickly(
    job: ExplanationJob, classifier: Classifier, settings: ExplainSettings
) -> Iterator[ExplanationEvent]:
    """Explain one image.

    Raises:
        ImageFileError, ArgumentError: see ``explain_image``.
        OutputFolderError: the results cannot be written.
    """
    folder = result_folder(job.output, job.image)
    yield Progress(0, 1, "overlay")
    explanation = explain_image(job.image, classifier, settings)
    overlay = save_overlay(explanation, folder)
    yield OverlayMade(overlay)
    yield Finished(folder, overlay, explanation.facts)
