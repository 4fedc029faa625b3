"""Where a job runs and at which precision: detected, never assumed."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import psutil
import torch

from core.errors import DeviceError, JobFailedError
from core.presets import AUTO

DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_NATIVE_BF16_CPU = ("amx_bf16", "avx512_bf16", "bf16")  # Intel, AMD and Intel, Arm
_AMPERE = 8
_NO_MEMORY: Final = (
    "can't allocate memory",
    "DefaultCPUAllocator: not enough memory",  # the same on Windows
    "Cannot allocate memory (12)",  # of a file that is to be mapped
    "error code: <1455>",  # the same on Windows: its paging file is too small
)
"""torch's words for it, in a RuntimeError like any other."""


@dataclass(frozen=True)
class Device:
    """A device that is here: ``name`` as a user writes it, ``label`` as a user recognises it."""

    name: str
    label: str


def available_devices() -> list[Device]:
    """The processor, then every CUDA device."""
    found = [Device("cpu", "CPU")]
    if torch.cuda.is_available():
        found += [
            Device(f"cuda:{index}", f"CUDA:{index} ({torch.cuda.get_device_name(index)})")
            for index in range(torch.cuda.device_count())
        ]
    return found


def resolve_device(name: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` into a device of this machine.

    Raises:
        DeviceError: there is no such device here.
    """
    names = [device.name for device in available_devices()]
    if name == AUTO:
        return torch.device(names[1] if len(names) > 1 else "cpu")
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in names:
        raise DeviceError(f"This machine has no device {name!r}; choose from auto, {', '.join(names)}.")
    return torch.device(wanted)


def computes_bf16_natively(device: torch.device) -> bool:
    """Whether bf16 is faster than fp32 there: AMX or AVX512-BF16 or Arm's BF16, or a GPU from Ampere on."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= _AMPERE
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _NATIVE_BF16_CPU)


def resolve_precision(name: str, device: torch.device) -> str:
    """Turn ``auto`` into ``bf16`` where the device computes it natively, ``fp32`` elsewhere.

    Raises:
        DeviceError: fp16 on a processor, which would be emulated and slower than fp32.
    """
    if name == AUTO:
        return "bf16" if computes_bf16_natively(device) else "fp32"
    if name == "fp16" and device.type == "cpu":
        raise DeviceError("Precision 'fp16' needs a GPU; on the CPU choose auto, bf16 or fp32.")
    return name


def default_batch_size(device: torch.device, image_size: int) -> int:
    """Images to denoise together.

    Estimates, not measurements: small batches on a processor; on a GPU as many as fit half of the free memory at
    40 MiB an image of 128 px. A batch that turns out too large is halved while the job runs.
    """
    area = (image_size / 128) ** 2
    if device.type == "cpu":
        return max(1, min(4, int(4 / area)))
    return max(1, min(64, int(free_memory(device) * 0.5 / (40 * 2**20 * area))))


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def empty_cache(device: torch.device) -> None:
    """Give unused device memory back, so that other programs can have it between batches."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.empty_cache()


def release_after_out_of_memory(device: torch.device) -> None:
    """Collect what a failed batch left behind (its tracebacks hold tensors in cycles), then empty the cache."""
    gc.collect()
    empty_cache(device)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out; on a processor torch says so only in the text of a RuntimeError."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def no_memory(device: torch.device | str, wanted: str) -> JobFailedError:
    """The error of a device whose memory does not suffice for what is ``wanted``."""
    return JobFailedError(
        f"There is not enough memory on {device} for {wanted}; close other programs or choose another device."
    )


@contextlib.contextmanager
def enough_memory(device: torch.device | str, wanted: str) -> Iterator[None]:
    """Tell in a sentence of memory that runs out in the block; other errors pass.

    Raises:
        JobFailedError: it did.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise no_memory(device, wanted) from error
