"""The sections of an evaluation's report: tables, figures, and how to read them."""

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
from evaluation.report.plots import confusion_plot, embedding_plot, nearness_plot, pair_picture
from evaluation.report.results import Evaluation
from evaluation.report.summary import heading, percent
from evaluation.utility.experiment import ARMS, Usefulness

_METRICS: Final = ("kid", "fid", "precision", "recall", "density", "coverage", "diversity")
_PAIRS: Final = 12
_READING: Final = (
    "KID and FID are distances, nearer to 0 is better. Precision is the share of the set that lies among real images, "
    "recall the share of real images that lies among the set; density and coverage are their sturdier forms. Diversity "
    "is the mean distance of pairs of images, as a multiple of that of real ones. The floor is the same figure of real "
    "images against real images of other lesions, drawn in the same number and mix of classes: the best that can be "
    "hoped for. Figures of different features cannot be compared."
)


def sections(evaluation: Evaluation) -> Iterator[Section]:
    """Every section of the report, in reading order."""
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
    caption = f"Images on either side. All are compared at {evaluation.size} pixels."
    return Table(("Class", "Synthetic images", "Real images", "Real lesions"), rows, caption)


def _resemblance(evaluation: Evaluation) -> Iterator[Block]:
    yield _READING
    groups = list(dict.fromkeys(figure.class_name for figure in evaluation.figures))
    for space, what in evaluation.spaces.items():
        rows = [_row(evaluation, group, space) for group in groups]
        if not rows:
            continue
        n = evaluation.effort.divisions
        yield Table(
            ("Class", "n", *map(heading, _METRICS), "KID ÷ floor"),
            rows,
            f"Features {space!r}: {what}. ALL: the whole set. n: images a draw. Set, and in brackets real against "
            f"real; means of {n} divisions of the real images by lesion. KID ± is the deviation over subsets; the last "
            "column divides it by the 95th percentile of the floor.",
        )
    if evaluation.embedding:
        yield Picture(
            embedding_plot(evaluation.embedding),
            f"t-SNE of the {evaluation.embedding.features} features: rings are real images, dots synthetic ones, "
            "classes in the set's proportions. Dots apart from rings look unlike any real image; rings without dots "
            "are missed.",
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
        yield "Nothing could judge: a probe needs two classes with real images, and there is no classifier."
    for found in evaluation.agreements:
        rows = [
            (name, _estimate(share), _estimate(found.of_real[name]) if name in found.of_real else None)
            for name, share in found.of_set.items()
        ]
        rows.append(("mean", Estimate(found.macro(), percent=True), Estimate(found.macro(real=True), percent=True)))
        held_out = "the tenth that this project's trainings leave out" if found.by_rule else "drawn at random"
        yield Table(
            ("Class", "Synthetic images called so", "Held-out real images called so"),
            rows,
            f"Judge: {describe(found.judge)}. Held-out real lesions: {held_out}. Intervals: Wilson, 95%.",
        )
        yield Picture(confusion_plot(found), "What this judge sees in synthetic images, in % of a row.", width=460)


def _copies(evaluation: Evaluation) -> Iterator[Block]:
    found = evaluation.copies
    yield (
        "Each image is compared with every real image in each feature space (nearness: minus the logarithm of the "
        "distance to the nearest over the mean distance to the next fifty), and laid over the nearest of them, turned, "
        "mirrored or as a part, whatever its colours (nearness: minus the logarithm of one less the correlation). Real "
        "images, which may not find their own lesion, are the control. Suspicious: nearer than all but "
        f"{percent(found.rate)} of the control. Copy: so near that a whole set without copies would have one with a "
        f"probability of {percent(FALSE_COPIES)}."
    )
    rows: list[tuple[Cell, ...]] = [
        (limit.space, *map(_estimate, found.shares[limit.space]), limit.suspicious, limit.copy)
        for limit in found.thresholds
    ]
    yield Table(
        ("Space", "Suspicious, synthetic", "Suspicious, control", "Threshold", "Threshold of a copy"),
        [*rows, ("any", _estimate(found.suspicious), _estimate(found.control), None, None)],
        "Shares of images nearer to a real image than the thresholds, with Wilson's 95% intervals.",
    )
    yield Picture(
        nearness_plot(found), "How near images come to the nearest real image; the rightmost bar holds all beyond."
    )
    yield (
        "The most suspicious pairs, synthetic on the left, real on the right. They show real images: mind their "
        "licence before you pass this report on."
    )
    pairs = [_pair(evaluation, suspicion) for suspicion in found.ranking[:_PAIRS]]
    yield Gallery(
        pairs,
        "Pairs in the order of suspicion: synthetic | real, the space where they are most conspicuous, and the best "
        "correlation r of pixels laid over each other.",
    )


def _pair(evaluation: Evaluation, suspicion: Suspicion) -> Picture:
    generated, real = evaluation.generated, evaluation.real
    image, origin = generated.images[suspicion.generated], real.images[suspicion.real]
    verdict = "copy" if suspicion.is_copy else "suspicious" if suspicion.excess > 0 else "unsuspicious"
    names = f"{image.class_name}/{image.path.stem} | {origin.path.stem}"
    caption = f"{names}: {verdict} ({suspicion.space}), r = {suspicion.correlation:.2f}"
    return Picture(pair_picture(generated.pictures[suspicion.generated], real.pictures[suspicion.real]), caption)


def _duplicates(evaluation: Evaluation) -> Iterator[Block]:
    found = evaluation.duplicates
    yield Table(
        ("", "Share"),
        [
            ("equal to another image of the set", _estimate(found.equal)),
            ("alike another, turned or mirrored", _estimate(found.alike)),
            ("real images alike one of another lesion", _estimate(found.control)),
        ],
        "Images that repeat each other; alike: more than chance explains, by the control of real images.",
    )
    if found.pairs:
        pictures = evaluation.generated.pictures
        yield Gallery(
            [
                Picture(pair_picture(pictures[first], pictures[second]), f"correlation {value:.2f}")
                for first, second, value in found.pairs[:4]
            ],
            "The pairs of the set that are most alike.",
        )


def _usefulness(found: Usefulness) -> Iterator[Block]:
    held_out = "never trained on by this project's generators" if found.by_rule else "which the generator may have seen"
    yield (
        f"Trained: {found.kind}; the same steps for every arm, {found.seeds} seeds, every class drawn equally often. "
        f"Real training images: {found.n_real:,}; synthetic: {found.n_synthetic:,}; tested on {found.n_test:,} real "
        f"images of {found.n_test_lesions:,} lesions {held_out}. Intervals: bootstrap over lesions within classes and "
        "over seeds."
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
        "AUROC: mean and deviation over seeds. A change whose interval does not hold 0 is a difference.",
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
        ("Measure", "Synthetic", "Real", "Difference in sd", "Halves of real"),
        rows,
        "Mean ± standard deviation (sd) over images. The last column bounds 95% of the differences between halves of "
        "the real images. Those of each class are in evaluation.json.",
    )


def _estimate(share: Share) -> Estimate:
    return Estimate(share.value, *share.interval, n=share.cases, percent=True)


def _mean(mean: Mean) -> Estimate:
    return Estimate(mean.value, mean.low, mean.high, percent=True)
