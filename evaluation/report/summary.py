"""The answers in plain sentences, for the head of the report, the card and the command line."""

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
    """Resemblance, class agreement, copies and usefulness, a sentence or two each."""
    return [
        *_resemblance(evaluation),
        *map(_agreement, evaluation.agreements),
        *_copies(evaluation),
        *_useful(evaluation),
    ]


def heading(metric: str) -> str:
    """The name of a figure as tables print it."""
    return metric.upper() if metric in ("kid", "fid") else metric


def percent(share: float) -> str:
    """0.123 as 12.3%."""
    return f"{100 * share:.1f}%"


def with_interval(share: Share) -> str:
    """3 of 700 (0.4%, 95% interval 0.1% to 1.2%)."""
    low, high = share.interval
    return f"{share.hits:,} of {share.cases:,} ({percent(share.value)}, 95% interval {percent(low)} to {percent(high)})"


def ratio_in_words(ratio: float | None) -> str:
    """How the set's KID stands to its floor."""
    if ratio is None:
        return "no floor could be measured"
    if ratio <= 1:
        return "within what halves of the real images differ by"
    return f"{ratio:.1f} times what 95% of the halves of the real images stay below"


def _resemblance(evaluation: Evaluation) -> Iterator[str]:
    group = evaluation.overall
    for space in list(evaluation.spaces)[:1]:
        kid = evaluation.figure("kid", group, space)
        if kid is None:
            yield "Resemblance: there are too few images to measure a distance."
            return
        text = f"Resemblance: KID {kid.value:.4f} ± {kid.sd:.4f} ({space} features, {kid.n_set:,} images a draw), "
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
        f"Class: {_JUDGES[found.judge]} names {percent(found.macro())} of the images by the class asked for (mean over "
        f"classes); of held-out real images {percent(found.macro(real=True))}."
    )


def _copies(evaluation: Evaluation) -> Iterator[str]:
    found = evaluation.copies
    if found.copies:
        text = (
            f"Copies: {len(found.copies)} of {found.suspicious.cases:,} images are copies of real ones beyond chance."
        )
    else:
        text = "Copies: no image is a copy of a real one beyond what chance explains."
    allowed = f"at most {percent(found.rate)} by construction"
    if found.control.value > found.rate:  # the threshold of a copy is the lower one then
        allowed = f"more than {percent(found.rate)}: there may be copies among them that no table names"
    yield (
        f"{text} Suspiciously near to a real image: {with_interval(found.suspicious)}; of real images to those of "
        f"other lesions {percent(found.control.value)} ({allowed})."
    )
    repeated = evaluation.duplicates
    yield (
        f"Duplicates: {repeated.equal.hits:,} images have an equal in the set, and {repeated.alike.hits:,} are more "
        f"like another than chance explains (real images: {repeated.control.hits:,} of {repeated.control.cases:,})."
    )


def _useful(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.usefulness:
        yield "Usefulness was not tested; --utility does."
    for found in evaluation.usefulness:
        yield _verdict(found)


def _verdict(found: Usefulness) -> str:
    scores = {arm: percent(found.balanced_accuracy[arm].value) for arm in (REAL, SYNTHETIC, BOTH)}
    gain, low, high = (
        f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")
        for value in (found.gain.value, found.gain.low, found.gain.high)
    )
    return (
        f"Usefulness: adding the set to {found.n_real:,} real images {found.verdict}: balanced accuracy on "
        f"{found.n_test:,} held-out real images {scores[REAL]} → {scores[BOTH]} (change {gain} points, 95% interval "
        f"{low} to {high}); with synthetic images alone {scores[SYNTHETIC]} ({found.kind})."
    )
