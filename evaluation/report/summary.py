"""Summary sentences for the head of the report, the dataset card and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from evaluation.features.extractors import CLASSIFIER
from evaluation.intervals import Share
from evaluation.metrics.class_agreement import PROBE, Agreement
from evaluation.report.results import Evaluation
from evaluation.utility.experiment import BOTH, REAL, SYNTHETIC, Usefulness

_JUDGES: Final = {
    CLASSIFIER: "this project's classifier",
    PROBE: "a probe (ImageNet features, trained on real images)",
}


def summarise(evaluation: Evaluation) -> list[str]:
    """Resemblance, class agreement, copies and usefulness, in one or two sentences each."""
    return [
        *_resemblance(evaluation),
        *map(_agreement, evaluation.agreements),
        *_copies(evaluation),
        *_useful(evaluation),
    ]


def heading(metric: str) -> str:
    """The name of a metric in tables."""
    return metric.upper() if metric in ("kid", "fid") else metric


def percent(share: float) -> str:
    """A share as per cent: 0.123 as 12.3%."""
    return f"{100 * share:.1f}%"


def with_interval(share: Share) -> str:
    """A share with its counts and interval: 3 of 700 (0.4%, 95% interval 0.1% to 1.2%)."""
    low, high = share.interval
    return f"{share.hits:,} of {share.cases:,} ({percent(share.value)}, 95% interval {percent(low)} to {percent(high)})"


def ratio_in_words(ratio: float | None) -> str:
    """The ratio of the set's KID to its floor as text."""
    if ratio is None:
        return "the floor could not be measured"
    if ratio <= 1:
        return "no larger than the difference between halves of the real images"
    return f"{ratio:.1f} times the 95th percentile of the difference between halves of the real images"


def _resemblance(evaluation: Evaluation) -> Iterator[str]:
    group = evaluation.overall
    for space in list(evaluation.spaces)[:1]:
        kid = evaluation.figure("kid", group, space)
        if kid is None:
            yield "Resemblance: not measured, because there are too few images."
            return
        text = f"Resemblance: KID {kid.value:.4f} ± {kid.sd:.4f} ({space} features, {kid.n_set:,} images per draw), "
        text += f"{ratio_in_words(kid.ratio)}."
        coverage = evaluation.figure("coverage", group, space)
        if coverage:
            text += (
                f" The images cover {percent(coverage.value)} of the real ones (real against real: "
                f"{percent(coverage.floor)})."
            )
        yield text


def _agreement(found: Agreement) -> str:
    return (
        f"Class: {_JUDGES[found.judge]} recognises the requested class in {percent(found.macro())} of the images (mean "
        f"over classes); in held-out real images it recognises {percent(found.macro(real=True))}."
    )


def _copies(evaluation: Evaluation) -> Iterator[str]:
    found = evaluation.copies
    if found.copies:
        text = (
            f"Copies: {len(found.copies)} of {found.suspicious.cases:,} images are closer to a real image than chance "
            "explains."
        )
    else:
        text = "Copies: no image is closer to a real image than chance explains."
    expected = f"at most {percent(found.rate)} by construction"
    if found.control.value > found.rate:  # the copy threshold is then the lower one
        expected = f"more than {percent(found.rate)}: the real data probably contains unlabelled duplicates"
    yield (
        f"{text} Suspiciously close to a real image: {with_interval(found.suspicious)}. Real images suspiciously close "
        f"to one of another lesion: {percent(found.control.value)} ({expected})."
    )
    repeated = evaluation.duplicates
    yield (
        f"Duplicates: {repeated.equal.hits:,} images are identical to another image of the set, and "
        f"{repeated.similar.hits:,} are more similar to another image than chance explains (real images: "
        f"{repeated.control.hits:,} of {repeated.control.cases:,})."
    )


def _useful(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.usefulness:
        yield "Usefulness: not tested; add --utility to test it."
    for found in evaluation.usefulness:
        yield _verdict(found)


def _verdict(found: Usefulness) -> str:
    scores = {arm: percent(found.balanced_accuracy[arm].value) for arm in (REAL, SYNTHETIC, BOTH)}
    gain, low, high = (
        f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")
        for value in (found.gain.value, found.gain.low, found.gain.high)
    )
    return (
        f"Usefulness: adding the set to {found.n_real:,} real images {found.verdict}. Balanced accuracy on "
        f"{found.n_test:,} held-out real images: {scores[REAL]} → {scores[BOTH]} (change {gain} points, 95% interval "
        f"{low} to {high}); with synthetic images only {scores[SYNTHETIC]} ({found.kind})."
    )
