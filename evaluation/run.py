"""The steps of an evaluation: read images, compute features, measure, judge."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np

from core.errors import ArgumentError
from core.io.atomic_files import require_writable
from core.models.devices import resolve_device
from evaluation.copy_detection.detector import find_copies
from evaluation.copy_detection.duplicates import find_duplicates
from evaluation.features.extractors import LABELS, Network, open_networks
from evaluation.features.image_listing import FoundImage, read_real, read_set, refuse_same, refuse_same_content
from evaluation.features.image_loading import common_size
from evaluation.features.image_set import Side, add_features, read_side
from evaluation.features.provenance import read_provenance
from evaluation.job import EvaluationJob
from evaluation.metrics.appearance import appearance
from evaluation.metrics.class_agreement import agreement
from evaluation.metrics.embedding import embedding
from evaluation.metrics.resemblance import resemblance
from evaluation.progress import Event, PartsProgress, Warned, Work, map_events
from evaluation.report.results import FULL, QUICK, Effort, Evaluation
from evaluation.utility.experiment import Usefulness, train_head, usefulness
from evaluation.utility.finetuning import STEPS as NETWORK_STEPS
from evaluation.utility.finetuning import train_network

_LEAST_SET = 2
_LEAST_LESIONS = 8
# Relative duration of the parts without cached features, from an evaluation of 700 images against 8,010.
_READ, _NETWORK, _RESEMBLANCE, _APPEARANCE, _EMBEDDING, _COPIES, _DUPLICATES, _AGREEMENT = 6, 40, 8, 6, 3, 30, 1, 2
_USEFULNESS = 10


def evaluate(job: EvaluationJob) -> Work[Evaluation]:
    """Measure a set; yields progress and warnings.

    Raises:
        ArgumentError: the set or the real images cannot be used.
        JobFailedError: no features are available.
    """
    started, warnings = time.monotonic(), list[str]()

    def keep_warnings(event: Event) -> Event | None:
        """Report every warning once and keep it for the report."""
        if isinstance(event, Warned):
            if event.text in warnings:
                return None
            warnings.append(event.text)
        return event

    return (yield from map_events(_evaluate(job, started, warnings), keep_warnings))


def _evaluate(job: EvaluationJob, started: float, warnings: list[str]) -> Work[Evaluation]:
    effort = _effort_of(job)
    generated_images, real_images, has_lesions = yield from find_images(job)
    networks, notices = open_networks(job.features, job.checkpoints, resolve_device(job.device))
    for text in notices:
        yield Warned(text)
    spaces = {space: LABELS[space] for network in networks for space in network.spaces if space in LABELS}
    whole = _Shares(job, networks)
    size = job.size or common_size([one.path for one in generated_images], [one.path for one in real_images])
    generated = yield from whole.part(read_side(generated_images, size, "images of the set"))
    real = yield from whole.part(read_side(real_images, size, "real images"))
    _require_enough(job, generated, real)
    require_writable(job.output)  # after all checks of the input, before the long computations
    for network in networks:
        yield from whole.part(add_features(real, network, job.cache, "real images"))
        yield from whole.part(add_features(generated, network, job.cache, "the set"))
    return Evaluation(
        job=job,
        effort=effort,
        generated=generated,
        real=real,
        has_lesions=has_lesions,
        networks={network.name: network.fingerprint for network in networks},
        spaces=spaces,
        figures=(yield from whole.part(resemblance(generated, real, spaces, effort.divisions, job.seed))),
        appearances=(yield from whole.part(appearance(generated, real, effort.divisions, job.seed))),
        embedding=(yield from whole.part(embedding(generated, real, next(iter(spaces)), effort.points, job.seed))),
        copies=(yield from whole.part(find_copies(generated, real, spaces, effort.control, job.seed))),
        duplicates=(yield from whole.part(find_duplicates(generated, real, effort.control, job.seed))),
        agreements=(yield from whole.part(agreement(generated, real, job.seed))),
        usefulness=(yield from whole.part(_usefulness(job, generated, real, effort, spaces))),
        provenance=read_provenance(generated.images),
        warnings=warnings,
        seconds=time.monotonic() - started,
    )


class _Shares(PartsProgress):
    """The parts of an evaluation, weighted by their duration."""

    def __init__(self, job: EvaluationJob, networks: Sequence[Network]) -> None:
        useful = {"": 0, "features": _USEFULNESS, "network": 60 * _USEFULNESS}[job.utility]
        features = [part for _ in networks for part in (_NETWORK, _NETWORK / 10)]
        figures = [_RESEMBLANCE * len(networks), _APPEARANCE, _EMBEDDING, _COPIES, _DUPLICATES, _AGREEMENT, useful]
        super().__init__([_READ / 10, _READ, *features, *figures])


def find_images(job: EvaluationJob) -> Work[tuple[Sequence[FoundImage], Sequence[FoundImage], bool]]:
    """List the images of both sides, without classes that have no real images.

    Returns:
        Images of the set, real images, and whether a table names lesions.

    Raises:
        ArgumentError: the set or the real images cannot be used.
    """
    refuse_same(job.images, job.real)
    generated = read_set(job.images, job.classes)
    classes = list(dict.fromkeys(image.class_name for image in generated))
    for name in (name for name in job.classes if name not in classes):
        yield Warned(f"{name}: the set contains no image of this class.")
    real = read_real(job.real, classes)
    for name in (name for name in classes if name not in {image.class_name for image in real.images}):
        yield Warned(f"{name}: there is no real image of this class, so the set's images of it are left out.")
        generated = tuple(image for image in generated if image.class_name != name)
    if not real.has_lesions:
        yield Warned(
            "No table names the lesions of the real images, so each image counts as a separate lesion. Floors may be "
            "too low, and copies may be missed if a lesion has several images."
        )
    chosen = _some_of_each(real.images, _effort_of(job).real_of_class, job.seed)
    if len(chosen) < len(real.images):
        yield Warned(f"Quick: only {len(chosen):,} of {len(real.images):,} real images were used, also for copies.")
    return generated, chosen, real.has_lesions


def _effort_of(job: EvaluationJob) -> Effort:
    return QUICK if job.quick else FULL


def _some_of_each(images: Sequence[FoundImage], most: int, seed: int) -> Sequence[FoundImage]:
    """At most ``most`` images of each class, by whole lesions where possible; all images if ``most`` is 0."""
    if not most:
        return images
    rng, kept = np.random.default_rng(seed), list[FoundImage]()
    for name in dict.fromkeys(image.class_name for image in images):
        of_class = [image for image in images if image.class_name == name]
        lesions = {
            lesion: index for index, lesion in enumerate(rng.permutation(sorted({i.lesion_id for i in of_class})))
        }
        kept += sorted(of_class, key=lambda image: lesions[image.lesion_id])[:most]
    return kept


def _require_enough(job: EvaluationJob, generated: Side, real: Side) -> None:
    if len(generated) < _LEAST_SET:
        raise ArgumentError(
            f"{job.images} has {len(generated)} readable images, but a set needs at least {_LEAST_SET}; generate more."
        )
    lesions = len(set(real.lesions.tolist()))
    if lesions < _LEAST_LESIONS:
        raise ArgumentError(
            f"{job.real} has readable images of {lesions} lesions, but a comparison needs at least {_LEAST_LESIONS}; "
            "add real images."
        )
    refuse_same_content(generated.digests, real.digests)


def _usefulness(
    job: EvaluationJob, generated: Side, real: Side, effort: Effort, spaces: dict[str, str]
) -> Work[list[Usefulness]]:
    """Run the test on frozen features, and the test of a whole network, if the job requests them."""
    if not job.utility:
        return []
    space = next(iter(spaces))
    kind = f"a head on frozen features: {spaces[space]}"
    found = [
        (
            yield from usefulness(
                generated, real, lambda side: side.features[space], train_head, kind, effort.seeds, job.seed
            )
        )
    ]
    if job.utility == "network":
        kind = f"EfficientNet-Lite0 at 128 px, all its weights, started from ImageNet, {NETWORK_STEPS} steps"
        train = partial(train_network, device=resolve_device(job.device))
        work = usefulness(generated, real, lambda side: side.pixels, train, kind, effort.network_seeds, job.seed)
        found.append((yield from work))
    return [one for one in found if one is not None]
