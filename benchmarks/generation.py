"""Images per second of this program against ``diffusers.DDPMPipeline`` in fp32, interleaved in one run.

Both run the default UNet (25.3 million parameters, random weights: the arithmetic is the same) at 128 px with
DDPM, batch 1, from a model in memory to pixels in memory; the program's side also writes PNG and row.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from core.torchvision_operators import declare_missing_operators

declare_missing_operators()
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel  # noqa: E402

from benchmarks.machine import describe_machine  # noqa: E402
from core.architectures import DEFAULT_SCHEDULER, DEFAULT_UNET  # noqa: E402
from core.checkpoints import ModelCache  # noqa: E402
from core.devices import resolve_device  # noqa: E402
from core.generation import run  # noqa: E402
from core.job import GenerationJob  # noqa: E402


def pipeline_run(model: UNet2DModel, steps: int, device: torch.device) -> Callable[[], None]:
    """One image through diffusers' own pipeline, as its documentation shows it."""
    pipeline = DDPMPipeline(model, DDPMScheduler(**DEFAULT_SCHEDULER)).to(device)
    pipeline.set_progress_bar_config(disable=True)

    def once() -> None:
        pipeline(generator=torch.Generator(device).manual_seed(0), num_inference_steps=steps)

    return once


def program_run(folder: Path, steps: int, device: torch.device, precision: str) -> Callable[[], None]:
    """One image through the program, PNG and row included; the model stays in memory between images."""
    cache = ModelCache()
    job = GenerationJob(
        {"MEL": 1},
        checkpoints=folder / "checkpoints",
        output=folder / "output",
        steps=steps,
        device=str(device),
        precision=precision,
        batch_size=1,
    )

    def once() -> None:
        for _ in run(job, cache=cache):
            pass

    return once


def measure(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each run, one after the other in turn, after one warm-up each."""
    for once in runs.values():
        once()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, once in runs.items():
            started = time.perf_counter()
            once()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def main() -> int:
    """Measure, print a table, and write the numbers where ``--output`` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, help="JSON file for the numbers")
    options = parser.parse_args()
    device = resolve_device(options.device)
    torch.manual_seed(0)
    model = UNet2DModel(**DEFAULT_UNET).eval()
    with tempfile.TemporaryDirectory(prefix="isicgui-benchmark-") as name:
        folder = Path(name)
        (folder / "checkpoints").mkdir()
        torch.save(model.state_dict(), folder / "checkpoints" / "unet_MEL_best.pth")
        runs = {
            "DDPMPipeline fp32": pipeline_run(model, options.steps, device),
            "program fp32": program_run(folder, options.steps, device, "fp32"),
            "program auto": program_run(folder, options.steps, device, "auto"),
        }
        seconds = measure(runs, options.repeats)
    report(describe_machine(device), options.steps, seconds, options.output)
    return 0


def report(machine: dict[str, object], steps: int, seconds: dict[str, list[float]], output: Path | None) -> None:
    """Print medians, spread and ratios to the first run."""
    print(json.dumps(machine))
    print(f"default UNet, 128 px, {steps} DDPM steps, batch 1; seconds an image: median (fastest to slowest)")
    reference = statistics.median(next(iter(seconds.values())))
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(f"{name:20} {middle:7.2f} s ({min(values):.2f} to {max(values):.2f})  {reference / middle:5.2f}x")
    if output:
        output.write_text(json.dumps({"machine": machine, "steps": steps, "seconds": seconds}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
