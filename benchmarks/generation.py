"""Measure seconds per image of this program against ``diffusers.DDPMPipeline`` in fp32, interleaved in one run.

All sides run the default UNet (25.3 million parameters; random weights need the same arithmetic) at 128 px with DDPM.
The pipeline is timed from a model in memory to pixels in memory. The plain loop works like comparable applications: one
image at a time, fp32, the loaded model unchanged, a PNG. The program also writes the row. The last row is the preset
"fast" with its own sampler, and with the same fraction of its steps as the others have of the preset "standard".
Each figure is followed by the share of the machine's rate of matrix products (measured in turn) that the network's
operations reach. Operations are counted in diffusers' form of the network, for every side.

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
    """One alternative: the number of images per run, and of network evaluations per image."""

    once: Callable[[], None]
    precision: str
    images: int
    evaluations: int


def pipeline_run(model: UNet2DModel, steps: int, device: torch.device) -> Callable[[], None]:
    """One image with diffusers' own pipeline, as in its documentation."""
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
    """The preset "fast" with the same fraction of its steps as ``steps`` are of the preset "standard"."""
    fast = PRESETS[FAST]
    return replace(fast, steps=max(1, round(fast.steps * steps / PRESETS[STANDARD].steps)))


def program_run(folder: Path, how: Preset, device: torch.device, precision: str, images: int) -> Callable[[], None]:
    """Images generated together by the program, including PNGs and rows; the model stays in memory between runs."""
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
    """Floating-point operations of one network evaluation for one image."""
    size = int(model.config["sample_size"])
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, size, size, device=device), 500)
    return float(counter.get_total_flops())


def main() -> int:
    """Measure, print a table, and write the figures to the file of ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=int, help="images in the last run (default: chosen by the program)")
    parser.add_argument("--threads", type=int, help="number of threads (default: chosen by torch)")
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
    report(figures, describe_machine(device), options, "s per image", notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
