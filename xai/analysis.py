"""Run the full analysis of one image: overlay, trajectory, Time-SHAP, causal check, faithfulness, and a report.

``analysis.json`` contains every number of the report and the values from which it is computed.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from core.classes import CLASSES
from core.errors import IsicGuiError
from core.io.atomic_files import cannot_write, write_whole
from core.io.json_text import encode_json
from core.output.image_file import read_parameters
from xai.attribution import SCORE, AttributionOptions
from xai.baselines import BASELINES, mean_skin
from xai.causal import CausalSettings, causal_check
from xai.classifier import Classifier, prepare
from xai.combine import normalised, smoothed
from xai.events import ExplanationEvent, Finished, OverlayMade, Progress, Warned
from xai.explain import ExplainSettings, explain_image
from xai.faithfulness import FaithfulnessSettings, deletion_and_insertion, parameter_randomisation, sensitivity
from xai.figures import mosaic
from xai.job import ANALYSIS_FILE, REPORT_FILE, ExplanationJob, result_folder
from xai.methods import METHODS
from xai.overlay import blend
from xai.report import write_analysis_report
from xai.results import MOSAIC_FILE, save_overlay, shown, step_file, write_picture
from xai.scoring import class_probabilities, logit_of, probability_of
from xai.tables import write_tables
from xai.time_shap import time_shap
from xai.trajectory import trace
from xai.verdict import verdicts

ANALYSIS_FORMAT: Final = "isicgui.analysis/1"
_FROM_EXPLANATION: Final = (
    "image",
    "image_sha256",
    "label",
    "classifier",
    "probabilities",
    "predicted",
    "target",
    "notices",
)
_PHASES: Final = {"overlay": 20, "trajectory": 15, "steps": 20, "Time-SHAP": 12, "causal check": 15, "faithfulness": 40}
"""Measured shares of the time; only used for the progress."""


@dataclass(frozen=True)
class AnalysisSettings:
    """The settings of an analysis.

    Attributes:
        every: keep every N-th denoising step with its overlay; the last step is always kept.
        explain: settings for the explanation of the saved image.
        step_ig_steps: steps of Integrated Gradients for a kept step and for the parameter randomisation.
        groups, pairs: settings of Time-SHAP.
        causal, faithfulness: settings of these checks; their seeds are the seed of the job.
    """

    every: int
    explain: ExplainSettings
    step_ig_steps: int = 16
    groups: int = 10
    pairs: int = 16
    causal: CausalSettings = field(default_factory=CausalSettings)
    faithfulness: FaithfulnessSettings = field(default_factory=FaithfulnessSettings)


class Analysis:
    """One analysis. Iterate over its events; then all results are in ``folder``."""

    def __init__(self, job: ExplanationJob, classifier: Classifier, settings: AnalysisSettings) -> None:
        self.folder = result_folder(job.output, job.image)
        self._job, self._classifier, self._settings = job, classifier, settings
        self._fast = dataclasses.replace(self._options, ig_steps=settings.step_ig_steps)
        self._seconds: dict[str, float] = {}
        self._facts: dict[str, Any] = {"format": ANALYSIS_FORMAT}

    def events(self) -> Iterator[ExplanationEvent]:
        """Run the analysis, from the overlay to the report.

        Raises:
            ImageFileError, ArgumentError: see ``explain_image``.
            OutputFolderError: the results cannot be written.
        """
        yield from self._phase("overlay", self._explain)
        yield from self._phase("trajectory", self._trace)
        if self._trajectory is not None:
            yield from self._phase("steps", self._follow_steps)
            yield from self._phase("Time-SHAP", self._divide_over_steps)
        yield from self._phase("causal check", self._check_causes)
        yield from self._phase("faithfulness", self._check_faithfulness)
        self._write()
        yield Finished(self.folder, self.folder / REPORT_FILE, self._facts)

    @property
    def _options(self) -> AttributionOptions:
        return self._settings.explain.options

    def _phase(self, name: str, work: Callable[[], Iterator[ExplanationEvent]]) -> Iterator[ExplanationEvent]:
        """Run one phase. It yields its own progress, which is converted into the progress of the analysis."""
        names = list(_PHASES)
        before, total = sum(_PHASES[other] for other in names[: names.index(name)]), sum(_PHASES.values())
        started = time.perf_counter()
        yield Progress(before, total, name)
        for event in work():
            if isinstance(event, Progress):
                yield Progress(before + _PHASES[name] * event.done / event.total, total, name)
            else:
                yield event
        self._seconds[name] = round(time.perf_counter() - started, 2)

    def _explain(self) -> Iterator[ExplanationEvent]:
        explanation = explain_image(self._job.image, self._classifier, self._settings.explain)
        facts = explanation.facts
        self._target = CLASSES.index(facts["target"]["class"])
        self._map = explanation.combined.values
        self._image = prepare(explanation.pixels)
        self._score = logit_of(self._classifier, self._target, self._options.chunk_size)
        self._facts |= {name: facts[name] for name in _FROM_EXPLANATION}
        self._facts |= {"parameters": _parameters_of(self._job), "explanation": facts}
        yield OverlayMade(save_overlay(explanation, self.folder))

    def _trace(self) -> Iterator[ExplanationEvent]:
        steps = trace(self._job.image, self._job.checkpoints, None)
        while True:
            try:
                done, total = next(steps)
            except StopIteration as end:
                traced = end.value
                break
            yield Progress(done, total, "trajectory")
        yield from map(Warned, traced.warnings)
        self._trajectory = traced.trajectory
        self._facts["trajectory"] = traced.trajectory.to_json() if traced.trajectory else None
        self._facts["trajectory_warnings"] = list(traced.warnings)

    def _follow_steps(self) -> Iterator[ExplanationEvent]:
        trajectory = self._trajectory
        self._frames = torch.cat([prepare(frame) for frame in trajectory.frames])
        probabilities = class_probabilities(self._classifier, self._frames, self._options.chunk_size)
        total = len(self._frames)
        kept = [number for number in range(1, total + 1) if number % self._settings.every == 0 or number == total]
        for done, number in enumerate(kept, start=1):
            frame, pixels = self._frames[number - 1 : number], trajectory.frames[number - 1]
            values = METHODS["ig"](self._classifier, frame, self._target, self._fast).values
            write_picture(step_file(self.folder, number, "estimate"), pixels)
            write_picture(step_file(self.folder, number, "overlay"), blend(shown(pixels), normalised(smoothed(values))))
            yield Progress(done, len(kept), "steps")
        write_picture(self.folder / MOSAIC_FILE, mosaic(trajectory.frames, trajectory.timesteps, kept))
        self._facts["step_overlays"] = {"method": "ig", "steps": self._settings.step_ig_steps}
        self._facts["steps"] = [
            {
                "step": number,
                "timestep": timestep,
                "kept": number in kept,
                "probabilities": dict(zip(CLASSES, values, strict=True)),
            }
            for number, (timestep, values) in enumerate(
                zip(trajectory.timesteps, probabilities.tolist(), strict=True), start=1
            )
        ]

    def _divide_over_steps(self) -> Iterator[ExplanationEvent]:
        result = time_shap(
            self._frames,
            mean_skin(self._image),
            self._score,
            groups=self._settings.groups,
            pairs=self._settings.pairs,
            seed=self._job.seed,
            chunk_size=self._options.chunk_size,
        )
        self._facts["time_shap"] = {"baseline": "mean_skin", "score_is": SCORE, **result.to_json()}
        yield Progress(1, 1, "Time-SHAP")

    def _check_causes(self) -> Iterator[ExplanationEvent]:
        settings = dataclasses.replace(self._settings.causal, seed=self._job.seed)
        check = causal_check(self._image, self._map, self._score, settings)
        self._facts["causal"] = {"score_is": SCORE, **check.to_json()}
        yield Progress(1, 1, "causal check")

    def _check_faithfulness(self) -> Iterator[ExplanationEvent]:
        classifier, image, target = self._classifier, self._image, self._target
        settings = dataclasses.replace(self._settings.faithfulness, seed=self._job.seed)
        baseline = BASELINES[self._options.baseline](image)
        probability = probability_of(classifier, target, self._options.chunk_size)
        curves = deletion_and_insertion(image, self._map, probability, baseline, settings)
        yield Progress(2, 4, "faithfulness")
        worst = sensitivity(classifier, image, target, self._options, settings)
        yield Progress(3, 4, "faithfulness")
        randomised = parameter_randomisation(classifier, image, target, self._fast, self._job.seed)
        self._facts["faithfulness"] = {
            "grid": settings.grid,
            "baseline": self._options.baseline,
            "deletion": curves.deletion.to_json(),
            "insertion": curves.insertion.to_json(),
            "sensitivity_max": worst,
            "sensitivity_repeats": settings.sensitivity_repeats,
            "sensitivity_ig_steps": settings.sensitivity_ig_steps,
            "parameter_randomisation": [dataclasses.asdict(entry) for entry in randomised],
        }

    def _write(self) -> None:
        facts = self._facts
        facts["verdicts"] = verdicts(facts)
        facts["settings"] = {"seed": self._job.seed, **dataclasses.asdict(self._settings)}
        facts["seconds"] = self._seconds
        encoded = encode_json(facts, indent=1, allow_nan=False)
        try:
            write_tables(self.folder, facts)
            write_whole(self.folder / ANALYSIS_FILE, encoded)
            write_analysis_report(self.folder, json.loads(encoded))
        except OSError as error:
            raise cannot_write(self.folder, error) from error


def _parameters_of(job: ExplanationJob) -> dict[str, Any] | None:
    try:
        return read_parameters(job.image).to_json()
    except IsicGuiError:
        return None
