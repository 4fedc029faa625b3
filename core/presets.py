"""The choices of a job and their ranges, and the presets: what decides between time and quality, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.errors import ArgumentError

AUTO: Final = "auto"
"""The device or the precision that suits this machine best."""

NO_REUSE: Final = 1
"""Every step computes the whole network."""

SAMPLERS: Final = ("ddpm", "ddim", "dpmpp", "unipc")
PRECISIONS: Final = (AUTO, "fp32", "bf16", "fp16")
MAX_STEPS: Final = 1000
MAX_REUSE: Final = 10
MAX_GUIDANCE: Final = 20
MAX_SEED: Final = 2**31 - 1
MAX_ANALYSIS_INTERVAL: Final = 100
"""The largest interval of full analyses during generation."""


@dataclass(frozen=True)
class Preset:
    """Settings of a job; fields as of ``core.generation.job.GenerationJob``."""

    sampler: str
    steps: int
    reuse: int


STANDARD: Final = "standard"
FAST: Final = "fast"
PRESETS: Final = {
    STANDARD: Preset("ddpm", 50, NO_REUSE),
    FAST: Preset("unipc", 20, NO_REUSE),
}


def preset_named(name: str) -> Preset:
    """The preset of this name.

    Raises:
        ArgumentError: there is none.
    """
    if name not in PRESETS:
        raise ArgumentError(f"There is no preset {name!r}; choose from {', '.join(PRESETS)}.")
    return PRESETS[name]


def preset_of(sampler: str, steps: int, reuse: int) -> str | None:
    """The name of the preset with these values; None where no preset has them."""
    return next((name for name, preset in PRESETS.items() if preset == Preset(sampler, steps, reuse)), None)
