r"""Measure how often a classifier of real images recognises the requested class in synthetic ones.

The judge is a classifier that ``python -m classification train`` has trained on real images only. Its balanced accuracy
on the real images of the validation part, which selected its weights, is printed with the agreement: it shows how
reliable the judge is.

    python -m classification train --data HAM10000_FOLDER --backbone efficientnet_lite0 --size 128 --epochs 6 \
        --precision fp32 --output runs/judge
    python -m benchmarks.class_agreement --judge runs/judge/best.pt --images output

Needs requirements-train.txt.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from classification.data.pixel_cache import read_image
from classification.evaluation.metrics import confusion
from classification.evaluation.prediction import symmetries
from classification.model_file import TrainedClassifier, load_classifier
from classification.networks import normalise
from core.classes import CLASSES
from core.errors import ArgumentError, IsicGuiError

OF_THE_JUDGE: Final = ("backbone", "image_size", "sha256", "validation_auroc", "validation_balanced_accuracy")


def images_by_class(folder: Path) -> list[tuple[int, Path]]:
    """Class index and file of every PNG in the class folders.

    Raises:
        ArgumentError: there is no PNG.
    """
    found = [(index, file) for index, name in enumerate(CLASSES) for file in sorted((folder / name).glob("*.png"))]
    if not found:
        raise ArgumentError(f"{folder} has no PNG in a folder named after a class; name a generated set.")
    return found


@torch.inference_mode()
def predict(classifier: TrainedClassifier, files: Iterable[Path]) -> np.ndarray:
    """Class index per image, (N,): the most probable class on average over the eight symmetries of the image."""
    network, answers = classifier.build(), []
    for file in files:
        pixels = torch.tensor(read_image(file, classifier.image_size))[None]
        views = normalise(torch.cat(symmetries(pixels)))
        answers.append(int(network(views).float().softmax(dim=1).mean(dim=0).argmax()))
    return np.array(answers)


def agreement(counts: np.ndarray) -> dict[str, float]:
    """Share of each class's images that the judge recognises, and their mean.

    Args:
        counts: (7, 7); requested class in rows, recognised class in columns.
    """
    asked = counts.sum(axis=1)
    shares = {name: float(counts[i, i] / asked[i]) for i, name in enumerate(CLASSES) if asked[i]}
    return {**shares, "macro": float(np.mean(list(shares.values())))}


def judge(file: Path, folder: Path) -> dict[str, Any]:
    """The result of the judge for a folder of images.

    Raises:
        ArgumentError: there are no images, or the judge does not have seven classes.
        CheckpointError: the judge cannot be read.
    """
    classifier = load_classifier(file)
    if classifier.task.name != "isic7":
        raise ArgumentError(f"{file} has the task {classifier.task}; use a judge with the seven classes.")
    facts = classifier.describe()
    truth, files = zip(*images_by_class(folder), strict=True)
    counts = confusion(np.array(truth), predict(classifier, files), len(CLASSES))
    return {
        "judge": {name: facts[name] for name in OF_THE_JUDGE if name in facts},
        "images": len(files),
        "agreement": agreement(counts),
        "confusion": counts.tolist(),
    }


def main() -> int:
    """Judge a folder and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", type=Path, required=True, help="best.pt of a classifier of real images")
    parser.add_argument("--images", type=Path, required=True, help="a generated set")
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    try:
        found = judge(options.judge, options.images)
    except IsicGuiError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("judge:", *(f"{name} {value}" for name, value in found["judge"].items()))
    print(f"{found['images']} images:", *(f"{name} {100 * value:.0f}%" for name, value in found["agreement"].items()))
    print("requested (rows), recognised (columns):", *CLASSES)
    for name, row in zip(CLASSES, found["confusion"], strict=True):
        print(f"{name:6}", *(f"{count:5}" for count in row))
    if options.output:
        options.output.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
