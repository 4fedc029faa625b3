"""The dataset card in Markdown: facts for the recipients of a set, to be published with it."""

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

{total:,} synthetic dermoscopic images of {count} diagnostic classes, generated with ISICGUI. They show no real patient.
**For research use only. Not for diagnosis, and not for measuring the performance of a diagnostic method.**

## Content

| class | diagnosis | images |
| --- | --- | --- |
{classes}

Each class has its own folder. `synthetic_dataset.csv` has one row per image, and each PNG contains its generation
parameters. SHA-256 of all files together: `{digest}`.

## Generation

{provenance}

## Quality

{summary}

The set was measured against {real:,} real images at {size} pixels, with the same figures for real against real images.
`evaluation.html` and `evaluation.json` contain all figures, intervals and warnings.
{warnings}
## Limitations

- Synthetic images reproduce the classes, cameras, skin tones and errors of their model.
- The class label is the requested class, not a finding. See above how often a classifier agrees with it.
- A set without detected copies may still contain parts of patients' images.

## Licence

For weights trained on HAM10000 (P. Tschandl, C. Rosendahl, H. Kittler, Sci. Data 5, 180161, 2018,
doi:10.1038/sdata.2018.161; CC BY-NC 4.0), the weights and their images are for non-commercial use and must cite that
source. For other weights, the licence of the training images applies. State the licence here before you publish.

## Repeat the measurement

```bash
./run_isicgui.sh evaluate {folder} --real REAL_IMAGES --output REPORT{options}
```
"""


def dataset_card(evaluation: Evaluation) -> str:
    """The card as Markdown, without paths of this machine."""
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
