"""Measure whether explanations point at the lesion: attributions of real images against lesion masks drawn by people.

Two figures for each method, over one image per lesion:

- pointing game: how often the strongest pixel is in the lesion (Zhang et al., Excitation Backprop, IJCV 2018, without
  its tolerance);
- share inside: share of the positive attribution in the lesion, divided by the lesion's share of the area; by chance
  it is 1.

Two maps that do not depend on the image are controls: smooth noise, and a blob in the centre, where most lesions are.
Intervals are 95% bootstrap percentiles over images.

    python -m benchmarks.explanations --data HAM10000_FOLDER --split runs/classifier/split.csv --images 300

The folder has the form that classification reads (core/real_data/image_listing.py), and masks/<image_id>.png.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.machine import describe_machine
from classification.data.collection import MASKS, read_listed
from core.classes import CLASSES
from core.errors import ArgumentError
from core.models.devices import resolve_device
from core.output.image_file import read_pixels
from core.paths import CHECKPOINTS
from core.process.exit_codes import run_command
from core.real_data.csv_tables import read_rows
from core.real_data.image_listing import image_name
from xai.attribution import AttributionOptions
from xai.classifier import CLASSIFIER_SIZE, Classifier, load_classifier, prepare
from xai.combine import COMBINED, SMOOTHING_PX, combine, preferred, smoothed
from xai.methods import METHODS

AIM_RATIO: Final = 1.5
ALL, RANDOM, CENTRE = "all combined", "random map", "centre blob"
_BLOB_SHARE: Final = 6  # the standard deviation of the blob is a sixth of the side
_RESAMPLES: Final = 2000


@dataclass(frozen=True)
class Lesion:
    """One image of one lesion, its class and its mask."""

    image_id: str
    class_name: str
    image: Path
    mask: Path


@dataclass(frozen=True)
class Score:
    """How well one map fits one mask: shares in [0, 1]; ``inside`` is the share of the positive attribution."""

    hit: bool
    inside: float
    area: float


def choose_lesions(data: Path, split: Path | None, part: str, count: int, seed: int) -> list[Lesion]:
    """Draw images with masks: one per lesion, from one part of the split if there is a split.

    Raises:
        ArgumentError: there is no folder of masks, or there are no images that classification can read.
    """
    images, masks = read_listed(data).images, data / MASKS
    if not masks.is_dir():
        raise ArgumentError(f"There is no folder {masks}; put the lesion masks there as <image_id>.png.")
    found = [Lesion(image.image_id, image.class_name, image.path, masks / f"{image.image_id}.png") for image in images]
    lesions = {image.image_id: image.lesion_id for image in images}
    if split:
        allowed = {image_name(row["image_id"]) for row in read_rows(split) if row["part"] == part}
        found = [lesion for lesion in found if lesion.image_id in allowed]
    found = [lesion for lesion in found if lesion.mask.is_file()]
    random.Random(seed).shuffle(found)  # noqa: S311 - nothing secret is drawn
    one_each = {lesions[lesion.image_id]: lesion for lesion in found}
    return list(one_each.values())[:count]


def score(values: np.ndarray, mask: np.ndarray) -> Score:
    """Compare a map (224, 224) with a mask, bool (224, 224), that is neither empty nor full."""
    positive = np.clip(values, 0, None)
    total = float(positive.sum())
    strongest = np.unravel_index(int(np.argmax(smoothed(values))), values.shape)
    return Score(bool(mask[strongest]), float(positive[mask].sum()) / total if total else 0.0, float(mask.mean()))


def read_mask(file: Path) -> np.ndarray:
    """A mask at the size of the classifier, bool (224, 224)."""
    with Image.open(file) as image:
        resized = image.convert("L").resize((CLASSIFIER_SIZE, CLASSIFIER_SIZE), Image.Resampling.NEAREST)
    return np.asarray(resized) > 127


def maps_of(
    lesion: Lesion, classifier: Classifier, methods: tuple[str, ...], target: str, options: AttributionOptions
) -> dict[str, np.ndarray]:
    """The attributions of one image, their combinations and the two controls."""
    image = prepare(read_pixels(lesion.image))
    predicted = int(classifier.probabilities(image)[0].argmax())
    index = CLASSES.index(lesion.class_name) if target == "label" else predicted
    attributions = [METHODS[name](classifier, image, index, options) for name in methods]
    maps = {attribution.method: attribution.values for attribution in attributions}
    noise = np.random.default_rng([options.seed, _number_of(lesion.image_id)])
    maps[COMBINED] = combine(preferred(attributions)).values
    maps[ALL] = combine(attributions).values
    maps[RANDOM] = smoothed(noise.standard_normal((CLASSIFIER_SIZE, CLASSIFIER_SIZE), np.float32), SMOOTHING_PX)
    maps[CENTRE] = centre_blob()
    return maps


def _number_of(name: str) -> int:
    """The number of an ISIC image; for another name, a number computed from it."""
    return int(name[-7:]) if name[-7:].isdecimal() else zlib.crc32(name.encode())


def centre_blob() -> np.ndarray:
    """A Gaussian in the centre of the image, (224, 224)."""
    offsets = np.arange(CLASSIFIER_SIZE, dtype=np.float32) - (CLASSIFIER_SIZE - 1) / 2
    profile = np.exp(-(offsets**2) / (2 * (CLASSIFIER_SIZE / _BLOB_SHARE) ** 2))
    return np.outer(profile, profile)


def summarise(scores: list[Score], seed: int) -> dict[str, Any]:
    """Both figures with their bootstrap intervals; the ratio is that of the mean shares."""
    hits = np.array([entry.hit for entry in scores], float)
    inside = np.array([entry.inside for entry in scores])
    area = np.array([entry.area for entry in scores])
    drawn = np.random.default_rng(seed).integers(0, len(scores), (_RESAMPLES, len(scores)))

    def with_interval(figure: Callable[[np.ndarray], Any]) -> dict[str, float]:
        low, high = np.percentile(figure(drawn), (2.5, 97.5))
        return {"value": float(figure(np.arange(len(scores))[None])[0]), "low": float(low), "high": float(high)}

    return {
        "n": len(scores),
        "hit_rate": with_interval(lambda chosen: hits[chosen].mean(axis=1)),
        "inside": with_interval(lambda chosen: inside[chosen].mean(axis=1)),
        "ratio": with_interval(lambda chosen: inside[chosen].mean(axis=1) / area[chosen].mean(axis=1)),
        "median_ratio": float(np.median(inside / area)),
        "area": float(area.mean()),
    }


def print_table(table: dict[str, dict[str, Any]]) -> None:
    """Print the table as Markdown."""
    print("| map | n | pointing game | share inside | share inside / area share | median of the images' ratios |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, row in table.items():
        hits, inside, ratio = (
            "{value:.{d}f} ({low:.{d}f} to {high:.{d}f})".format(**row[key], d=digits)
            for key, digits in (("hit_rate", 3), ("inside", 3), ("ratio", 2))
        )
        print(f"| {name} | {row['n']} | {hits} | {inside} | {ratio} | {row['median_ratio']:.2f} |")


def arguments() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoints", type=Path, default=CHECKPOINTS, help="folder with classifier.pth")
    parser.add_argument("--split", type=Path, help="CSV with image_id and part, to exclude training images")
    parser.add_argument("--part", default="test", help="part of the split (default: %(default)s)")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--target", choices=("predicted", "label"), default="predicted")
    parser.add_argument("--baseline", default=AttributionOptions.baseline)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, help="JSON file for the figures of all images")
    return parser.parse_args()


def main() -> int:
    """Score all maps of all images, print the table, and write all figures to the file of ``--output``."""
    given = arguments()
    device = resolve_device(given.device)
    classifier = load_classifier(given.checkpoints, device)
    options = AttributionOptions(seed=given.seed, baseline=given.baseline)
    lesions = choose_lesions(given.data, given.split, given.part, given.images, given.seed)
    scores: dict[str, dict[str, Score]] = {}
    for lesion in tqdm(lesions, mininterval=10):
        mask = read_mask(lesion.mask)
        if mask.any() and not mask.all():
            maps = maps_of(lesion, classifier, tuple(given.methods.split(",")), given.target, options)
            scores[lesion.image_id] = {name: score(values, mask) for name, values in maps.items()}
    if not scores:
        print("error: no image of this folder and split has a mask", file=sys.stderr)
        return 1
    names = list(next(iter(scores.values())))
    table = {name: summarise([entry[name] for entry in scores.values()], given.seed) for name in names}
    print(f"{classifier.source}, target {given.target}, baseline {given.baseline}", *classifier.notices)
    print_table(table)
    best, blob = table[COMBINED]["ratio"]["value"], table[CENTRE]["ratio"]["value"]
    print(f"combined at least {AIM_RATIO}: {best >= AIM_RATIO}; above the centre blob: {best > blob}")
    if given.output:
        images = {name: {key: vars(value) for key, value in entry.items()} for name, entry in scores.items()}
        facts = {"machine": describe_machine(device), "classifier": classifier.sha256, "table": table, "images": images}
        given.output.write_text(json.dumps(facts, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, as_json=False))
