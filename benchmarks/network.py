"""Measure where the time of one network evaluation goes: diffusers' form of the network and the program's, in turn.

The first table has the seconds of an evaluation of the default UNet (random weights, 128 px). The second has the
profiler's shares for one more evaluation of each.

    python -m benchmarks.network
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch.profiler import ProfilerActivity, profile

from core.models.torchvision_shim import declare_missing_operators

declare_missing_operators()
from diffusers import UNet2DModel  # noqa: E402

from benchmarks.machine import describe_machine  # noqa: E402
from benchmarks.measure import add_options, clock_of, in_turn, report  # noqa: E402
from core.models.architectures import DEFAULT_SCHEDULER, DEFAULT_UNET  # noqa: E402
from core.models.checkpoints import Checkpoint  # noqa: E402
from core.models.devices import resolve_device, resolve_precision  # noqa: E402

_SHOWN: Final = 7
_TIMESTEP: Final = 500


def evaluation(model: UNet2DModel, batch: int, device: torch.device) -> Callable[[], object]:
    """One evaluation of a channels-last batch, the layout that the program uses."""
    size = int(model.config["sample_size"])
    noisy = torch.randn(batch, 3, size, size, device=device).to(model.dtype, memory_format=torch.channels_last)
    return partial(_evaluate, model, noisy)


@torch.inference_mode()
def _evaluate(model: UNet2DModel, noisy: torch.Tensor) -> None:
    model(noisy, _TIMESTEP)
    if noisy.is_cuda:
        torch.cuda.synchronize()


def shares(once: Callable[[], object], device: torch.device) -> list[tuple[str, float]]:
    """Operators and their share of the time of an evaluation, largest first."""
    cuda = device.type == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]) as profiler:
        once()
    averages: Any = profiler.key_averages()
    taken = {found.key: found.self_device_time_total if cuda else found.self_cpu_time_total for found in averages}
    total = sum(taken.values())
    ordered = sorted(((time / total, name) for name, time in taken.items()), reverse=True)
    return [(name.removeprefix("aten::"), share) for share, name in ordered[:_SHOWN]]


def main() -> int:
    """Measure, print both tables, and write the figures of the first to the file of ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=1, help="images per evaluation (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="number of threads (default: chosen by torch)")
    parser.add_argument("--device", default="cpu")
    add_options(parser, repeats=7)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = resolve_device(options.device)
    torch.manual_seed(0)
    weights = UNet2DModel(**DEFAULT_UNET).state_dict()
    checkpoint = Checkpoint(Path("random"), DEFAULT_UNET, DEFAULT_SCHEDULER, weights, {}, "random weights")
    runs = {
        f"{'diffusers' if plain else 'program'} {precision}": evaluation(
            checkpoint.build(device, precision, plain=plain), options.batch, device
        )
        for precision in sorted({"fp32", resolve_precision("auto", device)}, reverse=True)
        for plain in (True, False)
    }
    report(in_turn(runs, options.repeats, clock_of(options)), describe_machine(device), options, "s per evaluation")
    for name, once in runs.items():
        print(f"{name:16}", ", ".join(f"{kind} {100 * share:.0f}%" for kind, share in shares(once, device)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
