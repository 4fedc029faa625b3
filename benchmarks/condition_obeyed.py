r"""Measure whether the images of a metadata-conditioned model show the requested values.

For each value of each field (``core.models.conditions``), images are generated under a condition in which only that
value is known. A judge of each field, a small head (``evaluation.utility.probe``) on the features of the project's
classifier, is trained on the real images that the model was trained on. Three figures are printed: the judge's balanced
accuracy on the generated images; its balanced accuracy on real images of lesions that neither has seen, which shows how
visible the field is at all; and the chance level. The area under the ROC curve measures only whether images of a value
resemble it more than other images do. So it is not affected if the judge sees one value in all generated images, for
example because soft images look like old skin. A grid shows one seed with one field changed at a time.

    python -m benchmarks.condition_obeyed --real HAM10000_FOLDER --checkpoints runs/metadata/checkpoints \
        --output runs/condition_obeyed

Existing images are kept, so the command can be interrupted and run again.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from classification.evaluation.bootstrap import Interval, intervals
from classification.evaluation.metrics import multiclass_statistic
from classification.evaluation.tables import cell
from core.errors import IsicGuiError
from core.generation.control import Control
from core.generation.denoising import denoise, to_pixels
from core.generation.job import GenerationJob
from core.generation.runner import run
from core.generation.samplers import Sampler
from core.models.conditions import SEXES, SITES, Condition
from core.models.devices import resolve_device, resolve_precision
from core.models.guided_checkpoints import load_conditioned
from core.paths import CONDITIONED_FILE
from core.presets import preset_named
from core.real_data.held_out import is_held_out
from diffusion.data import DataError, LabelledImage
from diffusion.tables import read_images
from evaluation.features.extractors import CLASSIFIER, open_networks
from evaluation.features.image_listing import FoundImage
from evaluation.features.image_set import Side, add_features, read_side
from evaluation.progress import result_of
from evaluation.utility.probe import Head

ASKED: Final[dict[str, tuple[Condition, ...]]] = {
    "melanocytic": (Condition(melanocytic=True), Condition(melanocytic=False)),
    "sex": tuple(Condition(sex=sex) for sex in SEXES),
    "age_group": tuple(Condition(age=age) for age in (30, 55, 75)),
    "site": tuple(Condition(site=site) for site in SITES),
}
"""The conditions under which images are generated, by the field that each of them sets."""
_BASE: Final = Condition(melanocytic=True, sex="female", age=55, site="back")  # condition of the grid
_SCORES: Final = ("balanced_accuracy", "macro_auc")
_GAP, _HEADING = 4, 20


@dataclass(frozen=True)
class Obeyed:
    """The result for one field.

    Attributes:
        field: name of the field.
        chance: balanced accuracy of guessing; for the macro AUC it is one half.
        real, generated: ``balanced_accuracy`` and ``macro_auc`` of the judge (``classification.evaluation.metrics``),
            with 95% bootstrap intervals over lesions; each generated image counts as one lesion.
        real_images, generated_images: numbers of images.
        by_value: share of the generated images of each value that the judge recognises.
    """

    field: str
    chance: float
    real: dict[str, Interval]
    real_images: int
    generated: dict[str, Interval]
    generated_images: int
    by_value: dict[str, float]


def value_of(condition: Condition, field: str) -> str:
    """The value of a field as the table spells it, including ``unknown``."""
    return condition.to_row()[field]


def folder_name(condition: Condition, field: str) -> str:
    """Field and value as the name of a folder."""
    return re.sub(r"\W+", "-", f"{field} {value_of(condition, field)}")


def make_sets(how: GenerationJob, folder: Path, count: int) -> dict[str, list[FoundImage]]:
    """Generate ``count`` images under each condition of ``ASKED``, in a separate folder for each condition.

    Raises:
        CheckpointError: there is no metadata-conditioned model, or it cannot be used.
    """
    found: dict[str, list[FoundImage]] = {field: [] for field in ASKED}
    for field, conditions in ASKED.items():
        for condition in conditions:
            output = folder / folder_name(condition, field)
            if (missing := count - len(list(output.glob("*/*.png")))) > 0:
                counts = {condition.label: missing}
                for _ in run(replace(how, counts=counts, condition=condition, output=output), Control()):
                    pass
            value = value_of(condition, field)
            found[field] += [FoundImage(file, value, str(file)) for file in sorted(output.glob("*/*.png"))[:count]]
    return found


def check_real(images: Sequence[LabelledImage]) -> None:
    """Check that real images show every value, both among the training lesions and among the held-out ones.

    Raises:
        DataError: a value is missing.
    """
    for field, conditions in ASKED.items():
        for held_out in (False, True):
            there = {value_of(image.condition, field) for image in images if is_held_out(image.lesion_id) == held_out}
            if missing := {value_of(condition, field) for condition in conditions} - there:
                part = "held-out" if held_out else "training"
                raise DataError(
                    f"The real images cannot judge the {field.replace('_', ' ')}: no {part} lesion has the value "
                    f"{', '.join(sorted(missing))}; use other real images."
                )


def accuracy(truth: np.ndarray, named: np.ndarray) -> dict[str, float]:
    """Share of each value's images that are recognised; the arguments are texts, (N,)."""
    return {value: float((named[truth == value] == value).mean()) for value in dict.fromkeys(truth.tolist())}


def scores(truth: np.ndarray, probabilities: np.ndarray, lesions: Sequence[str]) -> dict[str, Interval]:
    """Balanced accuracy and macro AUC of class indices (N,) and probabilities (N, C)."""
    found = intervals(multiclass_statistic(truth, probabilities), lesions)
    return {name: found[name] for name in _SCORES}


def judge(field: str, real: Side, values: np.ndarray, generated: Side, seed: int) -> Obeyed:
    """Train the judge of a field on real images and apply it.

    Args:
        field: name of the field.
        real: real images with features; their lesions are divided into training and test.
        values: values of the real images, (N,); ``unknown`` ones are left out.
        generated: generated images with features; their labels are the requested values.
        seed: seed of the judge.
    """
    names = [value_of(condition, field) for condition in ASKED[field]]
    known = np.isin(values, names)
    held_out = np.array([is_held_out(lesion) for lesion in real.lesions.tolist()])
    learning, asked = known & ~held_out, known & held_out

    def indices(words: np.ndarray) -> np.ndarray:
        return np.array([names.index(word) for word in words.tolist()])

    head = Head(real.features[CLASSIFIER][learning], indices(values[learning]), len(names), seed)
    of_real = head.probabilities(real.features[CLASSIFIER][asked])
    of_generated = head.probabilities(generated.features[CLASSIFIER])
    return Obeyed(
        field,
        1 / len(names),
        scores(indices(values[asked]), of_real, real.lesions[asked].tolist()),
        int(asked.sum()),
        scores(indices(generated.labels), of_generated, [str(image.path) for image in generated.images]),
        len(generated),
        accuracy(generated.labels, np.array(names)[of_generated.argmax(axis=1)]),
    )


def table(rows: Sequence[Obeyed]) -> str:
    """The figures as Markdown."""
    columns = ("field", "chance", "real, unseen lesions", "AUC", "n", "generated", "AUC", "n", "by value")
    lines = ["| " + " | ".join(columns) + " |", "| --- |" + " --- |" * (len(columns) - 1)]
    for row in rows:
        by_value = ", ".join(f"{value} {100 * share:.0f}%" for value, share in row.by_value.items())
        real, generated = (
            " | ".join(str(cell(found[score])) for score in _SCORES) for found in (row.real, row.generated)
        )
        lines.append(
            f"| {row.field.replace('_', ' ')} | {row.chance:.2f} | {real} | {row.real_images} | {generated} | "
            f"{row.generated_images} | {by_value} |"
        )
    return "\n".join(lines)


def grid(how: GenerationJob, seed: int) -> Image.Image:
    """Images of one seed with one field changed at a time: one row per field, one column per value."""
    device = resolve_device(how.device)
    precision = resolve_precision(how.precision, device)
    rows: list[list[tuple[str, np.ndarray]]] = []
    for field, conditions in ASKED.items():
        rows.append([])
        for condition in conditions:
            changed = {name: value for name, value in condition.to_json().items() if value is not None}
            loaded = load_conditioned(
                how.checkpoints / CONDITIONED_FILE, replace(_BASE, **changed), how.guidance, device, precision
            )
            sampler = Sampler(how.sampler, loaded.checkpoint.scheduler, how.steps)
            *_, last = denoise(loaded.model, sampler, [seed], device, decoder=loaded.decoder)
            rows[-1].append((f"{field.replace('_', ' ')} {value_of(condition, field)}", to_pixels(last.images)[0]))
    return _drawn(rows)


def _drawn(rows: list[list[tuple[str, np.ndarray]]]) -> Image.Image:
    cell = len(rows[0][0][1])
    across, down = cell + _GAP, cell + _HEADING + _GAP
    sheet = Image.new("RGB", (max(map(len, rows)) * across + _GAP, len(rows) * down + _GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for row, cells in enumerate(rows):
        for column, (words, pixels) in enumerate(cells):
            left, top = _GAP + column * across, _GAP + row * down
            draw.text((left + cell / 2, top + _HEADING / 2), words, fill="black", font=font, anchor="mm")
            sheet.paste(Image.fromarray(pixels), (left, top + _HEADING))
    return sheet


def measure(options: argparse.Namespace) -> list[Obeyed]:
    """Generate missing images, and judge all of them.

    Raises:
        DataError: the real images cannot be read, or do not show every value.
        CheckpointError: there is no model, or it cannot be used.
        JobFailedError: there is no trained classifier.
    """
    images = read_images(options.real).images
    check_real(images)
    how = _job(options)
    made = make_sets(how, options.output / "images", options.count)
    if not (sheet := options.output / "grid.png").exists():
        grid(how, options.seed).save(sheet)
    (network,), _ = open_networks([CLASSIFIER], options.checkpoints, torch.device("cpu"))

    def side(found: Sequence[FoundImage], what: str) -> Side:
        read = result_of(read_side(found, options.size, what))
        result_of(add_features(read, network, options.cache, what))
        return read

    real = side([FoundImage(i.path, i.class_name or "", i.lesion_id) for i in images], "real images")
    if len(real) < len(images):
        raise DataError(f"{len(images) - len(real)} images of {options.real} cannot be read; repair or remove them.")
    rows = []
    for field in ASKED:
        values = np.array([value_of(image.condition, field) for image in images])
        rows.append(judge(field, real, values, side(made[field], f"images by {field}"), options.seed))
    return rows


def _job(options: argparse.Namespace) -> GenerationJob:
    return GenerationJob(
        counts={Condition().label: 1},
        checkpoints=options.checkpoints,
        output=options.output,
        **asdict(preset_named(options.preset)),
        base_seed=options.seed,
        color_adjustment=False,
        condition=Condition(),
        guidance=options.guidance,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="real images with metadata")
    parser.add_argument("--checkpoints", type=Path, required=True, help=f"folder with {CONDITIONED_FILE}")
    parser.add_argument("--output", type=Path, required=True, help="folder for images, grid and figures")
    parser.add_argument("--count", type=int, default=16, help="images of each value (default: 16)")
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--size", type=int, default=128, help="size in pixels for the comparison (default: 128)")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder for computed features")
    options = parser.parse_args(arguments)
    try:
        rows = measure(options)
    except IsicGuiError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    facts: dict[str, Any] = {"guidance": options.guidance, "preset": options.preset, "size": options.size}
    content = {**facts, "fields": [asdict(row) for row in rows]}
    (options.output / "condition_obeyed.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
