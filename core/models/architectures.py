"""UNet2DModel configurations that the program knows by name."""

from __future__ import annotations

from typing import Any, Final

from core.classes import CLASSES

IMAGE_SIZE: Final = 128

DEFAULT_UNET: Final[dict[str, Any]] = {
    "sample_size": IMAGE_SIZE,
    "in_channels": 3,
    "out_channels": 3,
    "layers_per_block": 2,
    "block_out_channels": (64, 128, 256, 256),
    "down_block_types": ("DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
}
"""The published per-class checkpoints: bare state_dicts of this model, 25.3 million parameters."""

UNCONDITIONAL: Final = len(CLASSES)
"""Class index that stands for "no class" while a conditional model is trained (for guidance); never exported."""

DEMO_UNET: Final[dict[str, Any]] = {
    "sample_size": IMAGE_SIZE,
    "in_channels": 3,
    "out_channels": 3,
    "layers_per_block": 1,
    "block_out_channels": (32, 32, 64, 96, 128, 192),
    "norm_num_groups": 16,
    "attention_head_dim": 64,
    "down_block_types": (*("DownBlock2D",) * 4, "AttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "AttnUpBlock2D", *("UpBlock2D",) * 4),
    "num_class_embeds": len(CLASSES) + 1,
}
"""The bundled class-conditional model: 7.86 million parameters, 5.6 GFLOP a forward pass at 128 px."""

LATENT_UNET: Final[dict[str, Any]] = {
    "layers_per_block": 1,
    "block_out_channels": (192, 256),
    "norm_num_groups": 16,
    "attention_head_dim": 32,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
}
"""The bundled latent model: 14.2 million parameters, 2.9 GFLOP an evaluation of 16x16 latents."""

LATENT_RANGE: Final = 5.0
"""The x0 estimate of normalised latents is clipped to this range, in standard deviations, as that of images is to 1."""

DEFAULT_SCHEDULER: Final[dict[str, Any]] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "epsilon",
}
"""The training schedule of a checkpoint that does not name its own (diffusers.DDPMScheduler)."""
