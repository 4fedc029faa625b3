"""``python -m xai JOB.json``: explain one image. ``core.process.runner`` describes the output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from core.io.atomic_files import require_writable
from core.io.kept_results import keeping_results
from core.process.exit_codes import DONE
from core.process.worker import run_job, stay_in_the_background, tell
from xai.images import read_image
from xai.job import OVERLAY, ExplanationJob, every_of, result_folder

if TYPE_CHECKING:
    from xai.events import ExplanationEvent

_QUICK_IG_STEPS: Final = 16
_QUICK_SHAP_SAMPLES: Final = 128


def main(arguments: list[str]) -> int:
    """Run the job file named on the command line; return the exit code."""
    return run_job("xai", arguments, _run)


def _run(file: Path) -> int:
    job = ExplanationJob.load(file)
    every = every_of(job, os.environ)
    stay_in_the_background()
    read_image(job.image)  # a wrong image is found before torch is loaded, which takes seconds
    folder = result_folder(job.output, job.image)
    with keeping_results(folder):
        require_writable(folder)
        for event in _events(job, every):
            _send(event)
    return DONE


def _events(job: ExplanationJob, every: int) -> Iterator[ExplanationEvent]:
    tell("progress", done=0, total=1, doing="loading")
    return _quick(job) if job.kind == OVERLAY else _full(job, every)


def _quick(job: ExplanationJob) -> Iterator[ExplanationEvent]:
    """Explain on one core of the processor, so that a GPU and its memory remain available for generation."""
    _limit_threads(1)
    import torch

    from xai.attribution import AttributionOptions
    from xai.classifier import load_classifier
    from xai.explain import ExplainSettings
    from xai.overlay_only import explain_quickly

    options = AttributionOptions(job.seed, ig_steps=_QUICK_IG_STEPS, shap_samples=_QUICK_SHAP_SAMPLES)
    classifier = load_classifier(job.checkpoints, torch.device("cpu"))
    _tell_notices(classifier.notices)
    yield from explain_quickly(job, classifier, ExplainSettings(target=job.target, options=options))


def _full(job: ExplanationJob, every: int) -> Iterator[ExplanationEvent]:
    if job.threads is not None:
        _limit_threads(job.threads)
    from core.models.devices import resolve_device
    from xai.analysis import Analysis, AnalysisSettings
    from xai.attribution import AttributionOptions
    from xai.classifier import load_classifier
    from xai.explain import ExplainSettings

    classifier = load_classifier(job.checkpoints, resolve_device(job.device))
    _tell_notices(classifier.notices)
    explain = ExplainSettings(("ig", "shap", "gradcam"), job.target, AttributionOptions(job.seed))
    yield from Analysis(job, classifier, AnalysisSettings(every, explain)).events()


def _limit_threads(threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when torch is loaded
    import torch

    torch.set_num_threads(threads)


def _tell_notices(notices: tuple[str, ...]) -> None:
    for text in notices:
        tell("notice", text=text)


def _send(event: ExplanationEvent) -> None:
    from xai.events import Finished, OverlayMade, Progress

    if isinstance(event, Progress):
        tell("progress", **asdict(event))
    elif isinstance(event, OverlayMade):
        tell("overlay", path=str(event.path))
    elif isinstance(event, Finished):
        known: dict[str, Any] = {name: event.facts[name] for name in ("probabilities", "predicted", "target")}
        tell("finished", folder=str(event.folder), main=str(event.main), **known)
    else:
        tell("warning", text=event.text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
