"""Measure whether the classifier uses the pixels that an explanation marks.

The most important p percent of the pixels are replaced by black or random pixels. With a faithful map, the probability
of the class drops faster than with a random map (V. Petsiuk et al., RISE, arXiv 1806.07421). The random map is needed
because any damage lowers the probability.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch.nn.functional import interpolate

from classification.data.collection import LabelledImage, open_collection
from classification.data.pixel_cache import read_image
from classification.evaluation.bootstrap import intervals
from classification.evaluation.metrics import Scores
from classification.evaluation.prediction import Predictions
from classification.evaluation.runner import EvaluationJob, answers, images_asked
from classification.evaluation.thresholds import check_rule, choose_threshold
from classification.events import Counted, Emit, Note, Written, discard
from classification.faithfulness.contours import Explained
from classification.faithfulness.result_files import EXPLAINED, REMOVALS, SHARES, FallsPerImage, write_fidelity
from classification.model_file import TrainedClassifier, load_classifier
from classification.networks import LITE
from classification.ranges import check_ranges
from core.errors import ArgumentError
from core.models.devices import resolve_device
from xai.attribution import AttributionOptions
from xai.classifier import Classifier
from xai.methods import METHODS

FIDELITY_FORMAT: Final = "isicgui.fidelity/1"
_COARSE: Final = 7  # side of a random map as coarse as that of Grad-CAM
_BATCH: Final = 16
_RANGES: Final = (("images", 1, 10**9), ("shown", 0, 10**9), ("ig_steps", 1, 10_000))


@dataclass(frozen=True)
class FidelityJob:
    """Settings of a fidelity measurement.

    Attributes:
        evaluation: classifier, data, part and threshold, as for an evaluation; results are written to its output.
        images: number of images, drawn by the seed; all images if the part has fewer.
        chosen: ids of images to show in the report.
        shown: number of images of each kind (true and false, positive and negative) to show.
        ig_steps: steps of Integrated Gradients.

    Raises:
        ArgumentError: a value is out of its range.
    """

    evaluation: EvaluationJob
    images: int = 100
    chosen: tuple[str, ...] = ()
    shown: int = 2
    ig_steps: int = 32

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES)


def measure_fidelity(job: FidelityJob, emit: Emit = discard) -> dict[str, Any]:
    """Explain images and measure fidelity; write ``fidelity.json``, curves, contours and ``report.html``.

    Raises:
        ArgumentError: data and classifier do not fit, a chosen image is not in the part, or the output cannot be
            written.
        CheckpointError: the classifier cannot be read.
        JobFailedError: a probability is not a number, or a result cannot be written.
    """
    plan = job.evaluation
    check_rule(plan.threshold)
    trained, collection = load_classifier(plan.checkpoint), open_collection(plan.data)
    emit(Note(collection.describe()))
    _check_chosen(job, images_asked(plan, collection)[1])
    validation, judged = answers(plan, trained, collection, emit)
    threshold = choose_threshold(plan.threshold, validation.positive, validation.scores)
    rows = _drawn(judged, threshold, job)
    classifier = explainable(trained, plan.device)
    falls: dict[tuple[str, str], list[np.ndarray]] = {}
    explained: list[Explained] = []
    for number, row in enumerate(rows.measured + rows.shown_only):
        image = _image(judged, row, trained.image_size)
        target = int(judged.probabilities[row].argmax())
        maps = _maps(classifier, image, target, job, plan.seed + row)
        explained.append(_explained(judged, row, threshold, image, maps))
        if number < len(rows.measured):
            for name, values in maps.items():
                for removal in REMOVALS:
                    fall = _falls(classifier, image, target, values, removal, plan.seed + row)
                    falls.setdefault((name, removal), []).append(fall)
        emit(Counted("images explained", number + 1, len(rows.measured) + len(rows.shown_only)))
    lesions = [judged.images[row].lesion_id for row in rows.measured]
    names = [judged.images[row].image_id for row in rows.measured]
    per_image = FallsPerImage(
        names, judged.scores[rows.measured], {key: np.array(values) for key, values in falls.items()}
    )
    result = _result(job, trained, per_image.falls, lesions, threshold)
    write_fidelity(plan.output, result, [item for item in explained if item.row in rows.shown], per_image)
    emit(Written(plan.output / "report.html"))
    return result


@dataclass(frozen=True)
class _Rows:
    """Rows of the part: those that are measured, and those that are shown."""

    measured: list[int]
    shown: list[int]

    @property
    def shown_only(self) -> list[int]:
        return [row for row in self.shown if row not in set(self.measured)]


def _check_chosen(job: FidelityJob, judged: Sequence[LabelledImage]) -> None:
    ids = {image.image_id for image in judged}
    for name in job.chosen:
        if name not in ids:
            raise ArgumentError(f"The image {name} is not in the part {job.evaluation.part!r}; choose an image of it.")


def _drawn(judged: Predictions, threshold: float, job: FidelityJob) -> _Rows:
    ids = [image.image_id for image in judged.images]
    rng = np.random.default_rng(job.evaluation.seed)
    order = rng.permutation(len(ids)).tolist()
    kinds: dict[str, list[int]] = {}
    for row in order:
        kinds.setdefault(kind_of(judged, row, threshold), []).append(row)
    drawn = [row for kind in sorted(kinds) for row in kinds[kind][: job.shown]]
    shown = list(dict.fromkeys([*(ids.index(name) for name in job.chosen if name in ids), *drawn]))
    return _Rows(order[: job.images], shown)


def kind_of(judged: Predictions, row: int, threshold: float) -> str:
    """True or false, positive or negative: TP, FP, TN or FN."""
    called, positive = judged.scores[row] >= threshold, bool(judged.positive[row])
    return ("T" if called == positive else "F") + ("P" if called else "N")


def explainable(trained: TrainedClassifier, device: str) -> Classifier:
    """A trained classifier in the form that the explanations use, for any backbone and task."""
    resolved = resolve_device(device)
    network = trained.build()
    if trained.backbone == LITE:
        network.layer4 = network._bn1  # the maps before pooling, under the name of the last block of a ResNet
    return Classifier(network.to(resolved), resolved, torch.float32, trained.source, trained.sha256, True, ())


def _image(judged: Predictions, row: int, size: int) -> torch.Tensor:
    pixels = read_image(judged.images[row].path, size)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).unsqueeze(0).float() / 255


def _maps(
    classifier: Classifier, image: torch.Tensor, target: int, job: FidelityJob, seed: int
) -> dict[str, np.ndarray]:
    """The maps of the methods, a fine control and a coarse control; (S, S) each."""
    options = AttributionOptions(seed=job.evaluation.seed, ig_steps=job.ig_steps)
    found = {name: METHODS[name](classifier, image, target, options).values for name in EXPLAINED}
    size, generator = image.shape[-1], torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 1, _COARSE, _COARSE, generator=generator)
    found["control, coarse"] = interpolate(coarse, (size, size), mode="bilinear")[0, 0].numpy()
    found["control, fine"] = torch.rand(size, size, generator=generator).numpy()
    return found


def _falls(
    classifier: Classifier, image: torch.Tensor, target: int, values: np.ndarray, removal: str, seed: int
) -> np.ndarray:
    """Drop of the target's probability when the most important shares are removed, (len(SHARES),)."""
    generator = torch.Generator().manual_seed(seed)
    filling = torch.zeros_like(image) if removal == "black" else torch.rand(image.shape, generator=generator)
    order = torch.from_numpy(values.astype(np.float64).ravel()).argsort(descending=True, stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order))
    rank = rank.view(1, 1, *image.shape[-2:])
    damaged = [torch.where(rank < share / 100 * rank.numel(), filling, image) for share in SHARES]
    batches = torch.cat([image, *damaged]).split(_BATCH)
    scores = torch.cat([classifier.probabilities(batch).cpu() for batch in batches])[:, target].double().numpy()
    return scores[0] - scores[1:]


def fall_statistic(falls: np.ndarray) -> Callable[[np.ndarray], Scores]:
    """Mean over images, then over the removed shares (the area under the curve), from drops (N, P)."""
    areas = falls.mean(axis=1)

    def statistic(weights: np.ndarray) -> Scores:
        return {"area": weights @ areas / weights.sum(axis=1)}

    return statistic


def _result(
    job: FidelityJob,
    trained: TrainedClassifier,
    falls: Mapping[tuple[str, str], np.ndarray],
    lesions: Sequence[str],
    threshold: float,
) -> dict[str, Any]:
    rows = []
    for (method, removal), values in falls.items():
        row: dict[str, Any] = {"method": method, "removal": removal, "curve": values.mean(axis=0).tolist()}
        row["area"] = _area(values, lesions, job.evaluation)
        if method in EXPLAINED:
            control = "control, coarse" if method == "gradcam" else "control, fine"
            row["above_control"] = _area(values - falls[control, removal], lesions, job.evaluation)
        rows.append(row)
    facts = {"images": len(lesions), "lesions": len(set(lesions)), "threshold": threshold, "shares": list(SHARES)}
    settings = {"ig_steps": job.ig_steps, "seed": job.evaluation.seed, "resamples": job.evaluation.resamples}
    return {"format": FIDELITY_FORMAT, "classifier": trained.describe(), **facts, "settings": settings, "rows": rows}


def _area(falls: np.ndarray, lesions: Sequence[str], plan: EvaluationJob) -> dict[str, Any]:
    return intervals(fall_statistic(falls), lesions, plan.resamples, plan.seed)["area"].to_json()


def _explained(
    judged: Predictions, row: int, threshold: float, image: torch.Tensor, maps: Mapping[str, np.ndarray]
) -> Explained:
    pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    shown = {name: maps[name] for name in EXPLAINED}
    kind, score = kind_of(judged, row, threshold), float(judged.scores[row])
    return Explained(row, judged.images[row].image_id, kind, judged.images[row].class_name, score, pixels, shown)
