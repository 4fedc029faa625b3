"""Seconds an image of this program against ``diffusers.DDPMPipeline`` in fp32, interleaved in one run.

All sides run the default UNet (25.3 million parameters, random weights: the arithmetic is the same) at 128 px with
DDPM. The pipeline goes from a model in memory to pixels in memory. The plain loop is what comparable applications do:
one image at a time, fp32, the model as it was loaded, a PNG. The program's side also writes the row. The last row is
the preset "fast" with its own sampler, in as large a part of its steps as the others do of the preset "standard".
Behind each figure: which part of the machine's own rate of matrix products, measured in turn with it, the network's
operations reach; they are counted in diffusers' form of the network, whatever form computes them.

    python -m benchmarks.generation --steps 10 --json now.json --compare before.json
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from core.models.torchvision_shim import declare_missing_operators

declare_missing_operators()
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.machine import describe_machine  # noqa: E402
from benchmarks.measure import add_options, clock_of, in_turn, matrix_products, report  # noqa: E402
from core.generation.denoising import to_pixels  # noqa: E402
from core.generation.job import GenerationJob  # noqa: E402
from core.generation.runner import run  # noqa: E402
from core.models.architectures import DEFAULT_SCHEDULER, DEFAULT_UNET  # noqa: E402
from core.models.checkpoints import ModelCache  # noqa: E402
from core.models.devices import DTYPES, default_batch_size, resolve_device, resolve_precision  # noqa: E402
from core.presets import FAST, NO_REUSE, PRESETS, STANDARD, Preset  # noqa: E402


@dataclass(frozen=True)
class Side:
    """What is measured: so many images at once, with so many evaluations of the network each."""

    once: Callable[[], None]
    precision: str
    images: int
    evaluations: int


def pipeline_run(model: UNet2DModel, steps: int, device: torch.device) -> Callable[[], None]:
    """One image through diffusers' own pipeline, as its documentation shows it."""
    pipeline = DDPMPipeline(model, DDPMScheduler(**DEFAULT_SCHEDULER)).to(device)
    pipeline.set_progress_bar_config(disable=True)

    def once() -> None:
        pipeline(generator=torch.Generator(device).manual_seed(0), num_inference_steps=steps)

    return once


def plain_run(model: UNet2DModel, folder: Path, steps: int, device: torch.device) -> Callable[[], None]:
    """One image in a loop over the scheduler's steps, and its PNG."""
    scheduler, size = DDPMScheduler(**DEFAULT_SCHEDULER), int(model.config["sample_size"])

    @torch.no_grad()
    def once() -> None:
        scheduler.set_timesteps(steps)
        image = torch.randn(1, 3, size, size, device=device)
        for timestep in scheduler.timesteps:
            image = scheduler.step(model(image, timestep).sample, timestep, image).prev_sample
        Image.fromarray(to_pixels(image)[0]).save(folder / "plain.png")

    return once


def fast_preset(steps: int) -> Preset:
    """The preset "fast" with as large a part of its steps as ``steps`` are of the preset "standard"."""
    fast = PRESETS[FAST]
    return replace(fast, steps=max(1, round(fast.steps * steps / PRESETS[STANDARD].steps)))


def program_run(folder: Path, how: Preset, device: torch.device, precision: str, images: int) -> Callable[[], None]:
    """Some images at once through the program, PNGs and rows included; the model stays in memory between runs."""
    cache = ModelCache()
    job = GenerationJob(
        {"MEL": images},
        checkpoints=folder / "checkpoints",
        output=folder / "output",
        **asdict(how),
        device=str(device),
        precision=precision,
        batch_size=images,
    )

    def once() -> None:
        for _ in run(job, cache=cache):
            pass

    return once


def operations(model: UNet2DModel, device: torch.device) -> float:
    """Floating-point operations of one evaluation of one image."""
    size = int(model.config["sample_size"])
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, size, size, device=device), 500)
    return float(counter.get_total_flops())


def main() -> int:
    """Measure, print a table, and keep the numbers where ``--json`` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=int, help="images of the last run (default: as many as the program chooses)")
    parser.add_argument("--threads", type=int, help="default: as many as torch chooses")
    parser.add_argument("--device", default="auto")
    add_options(parser, repeats=5)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device, steps = resolve_device(options.device), options.steps
    native = resolve_precision("auto", device)
    how, fast = Preset("ddpm", steps, NO_REUSE), fast_preset(steps)
    batch = options.batch or default_batch_size(device, DEFAULT_UNET["sample_size"])
    torch.manual_seed(0)
    model = UNet2DModel(**DEFAULT_UNET).eval()
    products = {name: matrix_products(device, DTYPES[name]) for name in dict.fromkeys(("fp32", native))}
    with tempfile.TemporaryDirectory(prefix="isicgui-benchmark-") as name:
        folder = Path(name)
        (folder / "checkpoints").mkdir()
        torch.save(model.state_dict(), folder / "checkpoints" / "unet_MEL_best.pth")
        sides = {
            "DDPMPipeline fp32": Side(pipeline_run(model, steps, device), "fp32", 1, steps),
            "plain loop fp32": Side(plain_run(model, folder, steps, device), "fp32", 1, steps),
            "program fp32": Side(program_run(folder, how, device, "fp32", 1), "fp32", 1, steps),
            "program auto": Side(program_run(folder, how, device, "auto", 1), native, 1, steps),
            f"program auto, batch {batch}": Side(program_run(folder, how, device, "auto", batch), native, batch, steps),
            f"fast, batch {batch}": Side(program_run(folder, fast, device, "auto", batch), native, batch, fast.steps),
        }
        runs = {name: side.once for name, side in sides.items()}
        runs |= {f"products {precision}": once for precision, (once, _) in products.items()}
        seconds = in_turn(runs, options.repeats, clock_of(options))
    rates = {
        precision: count / statistics.median(seconds.pop(f"products {precision}"))
        for precision, (_, count) in products.items()
    }
    work = operations(model, device)
    print(f"default UNet, 128 px, {steps} DDPM steps, {work / 1e9:.1f} GFLOP each; auto is {native}; fast: {fast}")
    print("matrix products:", ", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in rates.items()))
    figures = {name: [value / side.images for value in seconds[name]] for name, side in sides.items()}
    notes = {}
    for name, side in sides.items():
        reached = work * side.evaluations / statistics.median(figures[name]) / rates[side.precision]
        notes[name] = f"{100 * reached:.0f}% of {side.precision} products"
    report(figures, describe_machine(device), options, "s an image", notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
