"""The settings of the window as one immutable value, which is shown in the widgets and stored between sessions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from PyQt5.QtCore import QSettings

from core.classes import CLASSES
from core.errors import ArgumentError
from core.generation.job import GenerationJob
from core.generation.seeds import BASE_SEED
from core.models.conditions import Condition
from core.paths import CHECKPOINTS, OUTPUT
from core.presets import AUTO, PRESETS, STANDARD

CLASS_SOURCE, METADATA_SOURCE = "classes", "metadata"
THEMES: Final = ("system", "light", "dark")
_GROUP: Final = "settings/"


@dataclass(frozen=True)
class Settings:
    """The settings chosen by the user.

    Attributes:
        checkpoints: models folder.
        output: output folder.
        quantities: number of images per class, also for classes that are not ticked.
        chosen: ticked classes.
        source: source of the images: the models of the classes, or a metadata-conditioned model.
        condition: condition for the metadata-conditioned model, as JSON of ``core.models.conditions.Condition``.
        guidance: guidance scale of the condition.
        condition_count: number of images with the condition.
        batch_size: images per batch; 0 for automatic.
        xai_stride: the full analysis keeps every N-th denoising step (``XAI_SAVE_EVERY_N``).
        random_seed: whether every job draws a new base seed; ``base_seed`` is then the last one drawn.
        xai_cadence: every N-th image of a class is explained.
        analysis_interval: every N-th image of a class gets a full analysis, 1 to 100; 0 for none.
        analysis_chosen: whether the user has set ``analysis_interval``; otherwise it depends on the device.
        real_images: folder of real images of the last evaluation; empty before the first.
        speeds: measured seconds per image and step (see ``gui.forecast`` for the keys).
        last_job: the job that Regenerate repeats, as JSON; empty before the first.
    """

    checkpoints: str = str(CHECKPOINTS)
    output: str = str(OUTPUT)
    quantities: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CLASSES, 5))
    chosen: list[str] = field(default_factory=lambda: ["MEL"])
    source: str = CLASS_SOURCE
    condition: dict[str, Any] = field(default_factory=lambda: Condition().to_json())
    guidance: float = 2.0
    condition_count: int = 5
    steps: int = PRESETS[STANDARD].steps
    sampler: str = PRESETS[STANDARD].sampler
    reuse: int = PRESETS[STANDARD].reuse
    base_seed: int = BASE_SEED
    random_seed: bool = False
    precision: str = AUTO
    batch_size: int = 0
    color_adjustment: bool = True
    device: str = AUTO
    xai_mode: bool = False
    xai_stride: int = 5
    xai_cadence: int = 10
    analysis_interval: int = 0
    analysis_chosen: bool = False
    overlay_opacity: int = 60
    live_preview: bool = True
    show_options: bool = True
    theme: str = "system"
    real_images: str = ""
    speeds: dict[str, float] = field(default_factory=dict)
    last_job: dict[str, Any] = field(default_factory=dict)

    @property
    def analyse_every(self) -> int | None:
        """The interval of full analyses during generation; None for none."""
        return self.analysis_interval or None if self.xai_mode else None

    def job(self) -> GenerationJob:
        """Return the job described by these settings.

        Raises:
            ArgumentError: no class is chosen, or a value is out of range.
        """
        condition = Condition.from_json(self.condition) if self.source == METADATA_SOURCE else None
        of_classes = {name: self.quantities.get(name, 0) for name in self.chosen}
        return GenerationJob(
            counts=of_classes if condition is None else {condition.label: self.condition_count},
            checkpoints=Path(self.checkpoints),
            output=Path(self.output),
            steps=self.steps,
            sampler=self.sampler,
            reuse=self.reuse,
            base_seed=self.base_seed,
            device=self.device,
            precision=self.precision,
            batch_size=self.batch_size or None,
            analyse_every=self.analyse_every,
            color_adjustment=self.color_adjustment
            and condition is None,  # there are no colour statistics for conditions
            condition=condition,
            guidance=1.0 if condition is None else self.guidance,
        )


def load_settings(store: QSettings) -> Settings:
    """Read the stored settings; use the default for a value that is missing, damaged or of another type."""
    defaults = Settings()
    values: dict[str, Any] = {}
    for entry in fields(Settings):
        try:
            value = json.loads(str(store.value(_GROUP + entry.name, "")))
        except ValueError:
            continue
        if type(value) is type(getattr(defaults, entry.name)):
            values[entry.name] = value
    return Settings(**values)


def save_settings(store: QSettings, settings: Settings) -> None:
    """Store every value as JSON, because an INI file does not distinguish numbers from texts."""
    for entry in fields(Settings):
        store.setValue(_GROUP + entry.name, json.dumps(getattr(settings, entry.name)))
    store.sync()


def stored_condition(settings: Settings) -> Condition:
    """Return the stored condition; if it is damaged, return a condition with only unknown values."""
    try:
        return Condition.from_json(settings.condition)
    except ArgumentError:
        return Condition()
