"""Measure seconds per image of this program's training against diffusers' ``train_unconditional.py``, interleaved.

The reference is the loop of that script with its defaults: fp32, no channels-last, images opened, decoded and resized
one by one for every batch, AdamW, plain mean squared error, no averaged weights. This program's side is a step of
``python -m diffusion train`` with its defaults: decoded images from the cache, flips, rotations and colour jitter, the
precision that the device computes natively, the faster memory layout (channels-last on GPUs), min-SNR weights, and
averaged weights updated with every step. Both train the same network from random weights on the same images.

    python -m benchmarks.training --data HAM10000_FOLDER --json now.json --compare before.json
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from PIL import Image

from core.models.torchvision_shim import declare_missing_operators

declare_missing_operators()
from diffusers import DDPMScheduler, UNet2DModel  # noqa: E402
from diffusers.optimization import get_scheduler  # noqa: E402
from torchvision import transforms  # noqa: E402

from benchmarks.machine import describe_machine  # noqa: E402
from benchmarks.measure import add_options, clock_of, in_turn, report  # noqa: E402
from core.generation.control import Control  # noqa: E402
from core.models.architectures import DEFAULT_SCHEDULER  # noqa: E402
from core.models.devices import resolve_precision  # noqa: E402
from core.paths import PROJECT_ROOT  # noqa: E402
from diffusion.architectures import ARCHITECTURES, unet_config  # noqa: E402
from diffusion.config import Stage, TrainingConfig  # noqa: E402
from diffusion.data import LabelledImage  # noqa: E402
from diffusion.history import History  # noqa: E402
from diffusion.learner import Places  # noqa: E402
from diffusion.stage_run import StageRun  # noqa: E402
from diffusion.tables import read_images  # noqa: E402
from diffusion.train import Trainer  # noqa: E402

EXCERPT = PROJECT_ROOT / "tests" / "data" / "ham10000_excerpt"
SCRIPT, PROGRAM_FP32, PROGRAM = "train_unconditional.py", "program fp32", "program auto"


class _Opened(torch.utils.data.Dataset[torch.Tensor]):
    """Images opened and transformed on access, as in the script."""

    def __init__(self, images: Sequence[LabelledImage], size: int) -> None:
        self.images = images
        self.transform = transforms.Compose(
            [
                transforms.Resize(size, interpolation=transforms.InterpolationMode.BILINEAR),
                transforms.CenterCrop(size),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize([0.5], [0.5]),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.images[index].path) as image:
            transformed: torch.Tensor = self.transform(image.convert("RGB"))
        return transformed


def script_step(
    images: Sequence[LabelledImage], config: dict[str, Any], batch_size: int, device: torch.device
) -> Callable[[], None]:
    """One step of diffusers' script with its defaults."""
    model = UNet2DModel(**config).to(device)
    noise_scheduler = DDPMScheduler(num_train_timesteps=1000, beta_schedule=DEFAULT_SCHEDULER["beta_schedule"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.95, 0.999), weight_decay=1e-6, eps=1e-8)
    schedule = get_scheduler("cosine", optimizer, num_warmup_steps=500, num_training_steps=100_000)
    loader = torch.utils.data.DataLoader(
        _Opened(images, config["sample_size"]), batch_size=batch_size, shuffle=True, drop_last=True
    )

    def batches() -> Iterator[torch.Tensor]:
        while True:
            yield from loader

    endless = batches()

    def once() -> None:
        clean = next(endless).to(device)
        noise = torch.randn(clean.shape, device=device)
        timesteps = torch.randint(0, 1000, (len(clean),), device=device)
        noisy = noise_scheduler.add_noise(clean, noise, timesteps)
        loss = torch.nn.functional.mse_loss(model(noisy, timesteps).sample.float(), noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        loss.item()  # the script logs it

    return once


def program_step(
    images: Sequence[LabelledImage], settings: TrainingConfig, folder: Path, accelerator: Accelerator
) -> Callable[[], None]:
    """One step of this program's training."""
    trainer = Trainer(settings, images, Places(folder, folder / "cache"), accelerator)
    run = StageRun(trainer, 0, settings.stages[0], settings.total_steps(), History(folder, 0), Control())
    batches = run.prepare()

    def once() -> None:
        run.train_step(batches.batch(trainer.step))

    return once


def repeated(once: Callable[[], None], steps: int, device: torch.device) -> Callable[[], None]:
    """``steps`` steps; the call returns when they have finished."""

    def all_of_them() -> None:
        for _ in range(steps):
            once()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return all_of_them


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and write the figures to the file of ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=EXCERPT, help="folder of real images (default: 16 of the tests)")
    parser.add_argument("--architecture", choices=ARCHITECTURES, default="default")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=2, help="steps of each side in turn")
    parser.add_argument("--compile", action="store_true", help="use torch.compile for this program's side")
    parser.add_argument("--cpu", action="store_true", help="use the CPU even if there is a GPU")
    add_options(parser, repeats=5)
    options = parser.parse_args(arguments)
    accelerator = Accelerator(cpu=options.cpu or not torch.cuda.is_available(), mixed_precision="no")
    device, images = accelerator.device, read_images(options.data).images
    native = resolve_precision("auto", device)
    torch.manual_seed(0)
    config = unet_config(options.architecture, options.size, "none")
    with tempfile.TemporaryDirectory(prefix="isicgui-benchmark-", ignore_cleanup_errors=True) as name:

        def program(precision: str) -> Callable[[], None]:
            settings = TrainingConfig(
                stages=(Stage(options.size, options.batch_size, 100_000, 1e-4, 1e-6),),
                architecture=options.architecture,
                conditioning="none",
                prediction_type="epsilon",
                precision=precision,
                jitter=True,
                compile=options.compile,
            )
            return program_step(images, settings, Path(name) / precision, accelerator)

        runs = {SCRIPT: script_step(images, config, options.batch_size, device), PROGRAM_FP32: program("fp32")}
        if native != "fp32":
            runs[PROGRAM] = program(native)
        timed = {side: repeated(once, options.steps, device) for side, once in runs.items()}
        seconds = in_turn(timed, options.repeats, clock_of(options))
    trained = options.steps * options.batch_size
    figures = {side: [taken / trained for taken in values] for side, values in seconds.items()}
    print(f"{options.architecture} UNet, {options.size} px, batches of {options.batch_size}; auto is {native}")
    report(figures, describe_machine(device), options, "s per image")
    return 0


if __name__ == "__main__":
    sys.exit(main())
