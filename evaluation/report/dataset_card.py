"""The dataset card: what a person who receives the set must know, in Markdown, to be published beside it."""

from __future__ import annotations

from collections.abc import Iterable

from core.classes import CLASS_NAMES
from core.report.escaping import markdown_text, shell_word, yaml_text
from evaluation.report.results import Evaluation, digest_of
from evaluation.report.summary import summarise

_CARD = """---
pretty_name: {yaml_name}
task_categories: [image-classification]
tags: [synthetic, dermoscopy, medical, not-for-diagnosis]
---

# {name}

{total:,} synthetic dermoscopic images of {count} diagnostic classes, generated with ISICGUI. They show no patient.
**For research use only; not for diagnosis, nor for measuring how well a diagnosis works.**

## What is in it

| class | diagnosis | images |
| --- | --- | --- |
{classes}

One folder a class; `synthetic_dataset.csv` has a row for each image, and each PNG carries its own parameters. SHA-256
of all files together: `{digest}`.

## How it was made

{provenance}

## How good it is

{summary}

Measured against {real:,} real images at {size} pixels, beside the same figures of real against real images;
`evaluation.html` and `evaluation.json` hold all figures, intervals and warnings.
{warnings}
## What it is not good for

- Synthetic images repeat what their model learnt: its classes, its cameras, its skin tones and its mistakes.
- A class label is what was asked for, not a finding; how often a classifier agrees is stated above.
- That no copy was found does not prove that nothing of a patient's image is in it.

## Licence

Weights trained on HAM10000 (P. Tschandl, C. Rosendahl, H. Kittler, Sci. Data 5, 180161, 2018,
doi:10.1038/sdata.2018.161; CC BY-NC 4.0) and their images are non-commercial and name that source; for other weights
the licence of their training images decides. State it here before you publish.

## Measure it again

```bash
./run_isicgui.sh evaluate {folder} --real REAL_IMAGES --output REPORT{options}
```
"""


def dataset_card(evaluation: Evaluation) -> str:
    """The card, without any path of the machine that it was made on."""
    counts, name = evaluation.generated.counts(), evaluation.job.images.resolve().name
    return _CARD.format(
        name=markdown_text(name),
        yaml_name=yaml_text(name),
        folder=shell_word(name),
        total=len(evaluation.generated),
        count=len(counts),
        classes="\n".join(f"| {code} | {CLASS_NAMES[code]} | {number:,} |" for code, number in counts.items()),
        digest=digest_of(evaluation.generated.digests),
        provenance=_items(f"{key}: {value}" for key, value in evaluation.provenance.in_words().items()),
        summary=_items(summarise(evaluation)),
        warnings=f"\n{_items(f'Note: {text}' for text in evaluation.warnings)}\n" if evaluation.warnings else "",
        real=len(evaluation.real),
        size=evaluation.size,
        options=_options(evaluation),
    )


def _items(texts: Iterable[str]) -> str:
    return "\n".join(f"- {markdown_text(text)}" for text in texts)


def _options(evaluation: Evaluation) -> str:
    job = evaluation.job
    options = [" --quick"] if job.quick else []
    options += [f" --utility {job.utility}"] if job.utility else []
    options += [f" --seed {job.seed}"] if job.seed else []
    return "".join(options)
