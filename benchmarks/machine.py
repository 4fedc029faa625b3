"""Describe the machine of a measurement. The description is printed with every table, because ratios depend on it."""

from __future__ import annotations

import platform
from typing import Any

import diffusers
import psutil
import torch


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Processor, cores, memory, device and versions."""
    capabilities = torch.cpu.get_capabilities()
    return {
        "processor": str(capabilities.get("cpu_name") or platform.processor()),
        "cores": psutil.cpu_count(logical=False),
        "threads": torch.get_num_threads(),
        "bf16": [name for name in ("amx_bf16", "avx512_bf16", "bf16") if capabilities.get(name)],
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
    }
