"""The sections of an evaluation report: tables, plots and explanations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from core.report import Block, Cell, Estimate, Gallery, Picture, Section, Table
from evaluation.copy_detection.detector import Suspicion
from evaluation.copy_detection.thresholds import FALSE_COPIES
from evaluation.intervals import Mean, Share
from evaluation.metrics.appearance import MEASURES
from evaluation.metrics.class_agreement import describe
from evaluation.metrics.resemblance import Figure
from evaluation.report.plots import confusion_plot, embedding_plot, nearness_plot, pair_image
from evaluation.report.results import Evaluation
from evaluation.report.summary import heading, percent
from evaluation.utility.experiment import ARMS, Usefulness

_METRICS: Final = ("kid", "fid", "precision", "recall", "density", "coverage", "diversity")
_PAIRS: Final = 12
_READING: Final = (
    "KID and FID are distances; values near 0 are better. Precision is the share of the set that is close to real "
    "images; recall is the share of real images that is close to the set. Density and coverage are more robust forms "
    "of the two. Diversity is the mean distance between images, divided by that of real images. The floor is the same "
    "figure for real images against real images of other lesions, with the same number of images and the same mix of "
    "classes; it is the best value that a set can reach. Do not compare figures of different features."
)


def sections(evaluation: Evaluation) -> Iterator[Section]:
    """All sections of the report, in reading order."""
    yield Section("The set", (_composition(evaluation),))
    yield Section("Resemblance", list(_resemblance(evaluation)))
    yield Section("Class agreement", list(_agreement(evaluation)))
    yield Section("Copies of real images", list(_copies(evaluation)))
    yield Section("Duplicates", list(_duplicates(evaluation)))
    if evaluation.usefulness:
        yield Section("Usefulness", [block for found in evaluation.usefulness for block in _usefulness(found)])
    yield Section("Colour and texture", list(_appearance(evaluation)))


def _composition(evaluation: Evaluation) -> Table:
    real, lesions = evaluation.real.counts(), evaluation.real.lesions
    rows = [
        (name, count, real.get(name, 0), len(set(lesions[evaluation.real.labels == name].tolist())))
        for name, count in evaluation.generated.counts().items()
    ]
    caption = f"Number of images on each side. All images are compared at {evaluation.size} pixels."
    return Table(("Class", "Synthetic images", "Real images", "Real lesions"), rows, caption)


def _resemblance(evaluation: Evaluation) -> Iterator[Block]:
    yield _READING
    groups = list(dict.fromkeys(figure.class_name for figure in evaluation.figures))
    for space, description in evaluation.spaces.items():
        rows = [_row(evaluation, group, space) for group in groups]
        if not rows:
            continue
        n = evaluation.effort.divisions
        yield Table(
            ("Class", "n", *map(heading, _METRICS), "KID ÷ floor"),
            rows,
            f"Features {space!r}: {description}. ALL: the whole set. n: images per draw. In brackets: real against "
            f"real. Values are means of {n} divisions of the real images by lesion. KID ± standard deviation over "
            "subsets. The last column is KID divided by the 95th percentile of the floor.",
        )
    if evaluation.embedding:
        yield Picture(
            embedding_plot(evaluation.embedding),
            f"t-SNE of the {evaluation.embedding.features} features. Rings are real images, dots are synthetic images, "
            "with classes in the set's proportions. Dots far from all rings do not resemble any real image; regions "
            "with rings only are not covered by the set.",
        )


def _row(evaluation: Evaluation, group: str, space: str) -> list[Cell]:
    figures = [evaluation.figure(metric, group, space) for metric in _METRICS]
    kid = figures[0]
    count = kid.n_set if kid else 0
    return [
        group,
        count,
        *(_beside_floor(figure) for figure in figures),
        Estimate(kid.ratio, digits=1) if kid and kid.ratio is not None else None,
    ]


def _beside_floor(figure: Figure | None) -> str | None:
    if figure is None:
        return None
    if figure.metric == "kid":
        value, floor = Estimate(figure.value, digits=4), Estimate(figure.floor, digits=4)
        return f"{value} ± {figure.sd:.4f} ({floor} ± {figure.floor_sd:.4f})"
    digits = 1 if figure.metric == "fid" else 2
    return f"{figure.value:.{digits}f} ({figure.floor:.{digits}f})"


def _agreement(evaluation: Evaluation) -> Iterator[Block]:
    if not evaluation.agreements:
        yield (
            "Class agreement was not measured: there is no classifier, and a probe needs two classes with real images."
        )
    for found in evaluation.agreements:
        rows = [
            (name, _estimate(share), _estimate(found.of_real[name]) if name in found.of_real else None)
            for name, share in found.of_set.items()
        ]
        rows.append(("mean", Estimate(found.macro(), percent=True), Estimate(found.macro(real=True), percent=True)))
        held_out = "the tenth that this project's trainings leave out" if found.by_rule else "randomly drawn"
        yield Table(
            ("Class", "Synthetic images recognised", "Held-out real images recognised"),
            rows,
            f"Judge: {describe(found.judge)}. Held-out real lesions: {held_out}. Wilson 95% intervals.",
        )
        yield Picture(confusion_plot(found), "Classes recognised in synthetic images, in % of the row.", width=460)


def _copies(evaluation: Evaluation) -> Iterator[Block]:
    found = evaluation.copies
    yield (
        "Each image is compared with every real image in each feature space. Nearness is minus the logarithm of the "
        "distance to the nearest real image divided by the mean distance to the next fifty. The image is also aligned "
        "with the nearest real images, rotated, mirrored or as a crop, after the best change of colour; nearness is "
        "then minus the logarithm of 1 minus the correlation. The control is the same search for real images, which "
        f"must not find their own lesion. Suspicious: as near as the nearest {percent(found.rate)} of the control. The "
        f"copy threshold is set so that a set without copies has a {percent(FALSE_COPIES)} chance of any false alarm."
    )
    rows: list[tuple[Cell, ...]] = [
        (limit.space, *map(_estimate, found.shares[limit.space]), limit.suspicious, limit.copy)
        for limit in found.thresholds
    ]
    yield Table(
        ("Space", "Suspicious, synthetic", "Suspicious, control", "Threshold of suspicion", "Copy threshold"),
        [*rows, ("any", _estimate(found.suspicious), _estimate(found.control), None, None)],
        "Shares of images above the threshold of suspicion, with Wilson 95% intervals.",
    )
    yield Picture(nearness_plot(found), "Nearness to the nearest real image; the last bar contains all higher values.")
    yield (
        "The most suspicious pairs: synthetic image on the left, real image on the right. Check the licence of the "
        "real images before you share this report."
    )
    pairs = [_pair(evaluation, suspicion) for suspicion in found.ranking[:_PAIRS]]
    yield Gallery(
        pairs,
        "Pairs, most suspicious first: synthetic | real, the space in which the pair is most conspicuous, and the best "
        "correlation r of the aligned pixels.",
    )


def _pair(evaluation: Evaluation, suspicion: Suspicion) -> Picture:
    generated, real = evaluation.generated, evaluation.real
    image, origin = generated.images[suspicion.generated], real.images[suspicion.real]
    verdict = "copy" if suspicion.is_copy else "suspicious" if suspicion.excess > 0 else "unsuspicious"
    names = f"{image.class_name}/{image.path.stem} | {origin.path.stem}"
    caption = f"{names}: {verdict} ({suspicion.space}), r = {suspicion.correlation:.2f}"
    return Picture(pair_image(generated.pixels[suspicion.generated], real.pixels[suspicion.real]), caption)


def _duplicates(evaluation: Evaluation) -> Iterator[Block]:
    found = evaluation.duplicates
    yield Table(
        ("", "Share"),
        [
            ("identical to another image of the set", _estimate(found.equal)),
            ("similar to another image, rotated or mirrored", _estimate(found.similar)),
            ("real images similar to one of another lesion", _estimate(found.control)),
        ],
        "Images that repeat each other. Similar: more than chance explains, according to the control of real images.",
    )
    if found.pairs:
        pixels = evaluation.generated.pixels
        yield Gallery(
            [
                Picture(pair_image(pixels[first], pixels[second]), f"correlation {value:.2f}")
                for first, second, value in found.pairs[:4]
            ],
            "The most similar pairs of the set.",
        )


def _usefulness(found: Usefulness) -> Iterator[Block]:
    held_out = (
        "that this project's generators were not trained on" if found.by_rule else "that the generator may have seen"
    )
    yield (
        f"Trained: {found.kind}. Every training has the same number of steps and draws every class equally often; "
        f"{found.seeds} seeds. Real training images: {found.n_real:,}. Synthetic training images: "
        f"{found.n_synthetic:,}. Test: {found.n_test:,} real images of {found.n_test_lesions:,} lesions {held_out}. "
        "Intervals: bootstrap over lesions within classes, and over seeds."
    )
    rows: list[tuple[Cell, ...]] = [
        ("balanced accuracy", *(_mean(found.balanced_accuracy[arm]) for arm in ARMS), _mean(found.gain)),
        ("macro AUROC", *("{:.3f} ± {:.3f}".format(*found.auroc[arm]) for arm in ARMS), None),
    ]
    rows += [
        (f"recall of {name}", *(_mean(found.recall[arm][name]) for arm in ARMS), _mean(found.gain_of_class[name]))
        for name in found.classes
    ]
    yield Table(
        ("On held-out real images", *(f"Trained on {arm}" for arm in ARMS), "Change by adding the set"),
        rows,
        "AUROC: mean ± standard deviation over seeds. A change is significant if its interval does not contain 0.",
    )


def _appearance(evaluation: Evaluation) -> Iterator[Block]:
    rows = [
        (
            f"{found.measure}: {MEASURES[found.measure]}",
            f"{found.value:.2f} ± {found.sd:.2f}",
            f"{found.real:.2f} ± {found.real_sd:.2f}",
            Estimate(found.difference, digits=2),
            Estimate(found.floor_95, digits=2),
        )
        for found in evaluation.appearances
        if found.class_name == evaluation.overall
    ]
    if not rows:
        yield "There are too few images to compare."
        return
    yield Table(
        ("Measure", "Synthetic", "Real", "Difference in sd", "Halves of real (95%)"),
        rows,
        "Mean ± standard deviation (sd) over images. The last column is the 95th percentile of the difference between "
        "halves of the real images. Values per class are in evaluation.json.",
    )


def _estimate(share: Share) -> Estimate:
    return Estimate(share.value, *share.interval, n=share.cases, percent=True)


def _mean(mean: Mean) -> Estimate:
    return Estimate(mean.value, mean.low, mean.high, percent=True)
