"""A generation job: one immutable value that says everything, from the command line, a file or the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from core.classes import CLASSES, MELANOCYTIC
from core.errors import ArgumentError
from core.generation.seeds import BASE_SEED
from core.io.atomic_files import write_whole
from core.io.job_file import checked_fields, path_field, read_job_file
from core.io.json_text import encode_json
from core.models.conditions import Condition
from core.paths import CHECKPOINTS, OUTPUT
from core.presets import (
    AUTO,
    MAX_ANALYSIS_INTERVAL,
    MAX_GUIDANCE,
    MAX_REUSE,
    MAX_SEED,
    MAX_STEPS,
    PRECISIONS,
    PRESETS,
    SAMPLERS,
    STANDARD,
)

JOB_FORMAT: Final = "isicgui.job/1"
ANY: Final = "ANY"
"""Instead of a class: images whose class is not known to the model."""


@dataclass(frozen=True)
class GenerationJob:
    """What to generate, from what, into where.

    Attributes:
        counts: images wanted per class code; kept in the order of ``CLASSES``. Under a condition without a class, the
            images wanted under its label.
        checkpoints: folder that holds ``unet_<CLASS>_best.pth``.
        output: folder that receives ``<CLASS>/ISIC_0000001.png`` and ``synthetic_dataset.csv``.
        steps: denoising steps, 1 to 1000.
        sampler: one of ``SAMPLERS``.
        reuse: number of steps between computations of the network's deep features, 1 to 10
            (``core.generation.deep_cache``); 1 is every step.
        base_seed: the seeds of all images follow from it (``core.generation.seeds``), 0 to 2**31 - 1.
        device: ``auto``, ``cpu`` or ``cuda:N``.
        precision: one of ``PRECISIONS``.
        batch_size: images denoised together; None chooses by device and model.
        color_adjustment: apply ``color_statistics.json`` of the checkpoints folder where it is there.
        record_trajectory: keep the x0 estimate of every step beside each image (``core.generation.trajectory``).
        analyse_every: interval of the ISIC numbers of a class whose trajectory is kept for a full analysis, 1 to 100
            (``core.generation.explanation_cadence``); None keeps none for that.
        condition: what the images of a metadata-conditioned model are to show; None for the models of the classes.
        guidance: how far such a model is drawn towards its condition: 1 as the model learned it, 0 to 20.
        masks: folder for the lesion masks of models that make them; None is ``<output>_masks``.

    Raises:
        ArgumentError: a value is out of its range; the message names it.
    """

    counts: Mapping[str, int]
    checkpoints: Path = CHECKPOINTS
    output: Path = OUTPUT
    steps: int = PRESETS[STANDARD].steps
    sampler: str = PRESETS[STANDARD].sampler
    reuse: int = PRESETS[STANDARD].reuse
    base_seed: int = BASE_SEED
    device: str = AUTO
    precision: str = AUTO
    batch_size: int | None = None
    color_adjustment: bool = True
    record_trajectory: bool = False
    analyse_every: int | None = None
    condition: Condition | None = None
    guidance: float = 1.0
    masks: Path | None = None

    def __post_init__(self) -> None:
        labels = CLASSES if self.condition is None or set(self.counts) & set(CLASSES) else (self.condition.label,)
        ordered = {name: self.counts[name] for name in labels if name in self.counts}
        _check_counts(self.counts, labels)
        object.__setattr__(self, "counts", MappingProxyType(ordered))
        _check_choice("sampler", self.sampler, SAMPLERS)
        _check_choice("precision", self.precision, PRECISIONS)
        _check_integer("steps", self.steps, 1, MAX_STEPS)
        _check_integer("reuse", self.reuse, 1, MAX_REUSE)
        _check_integer("seed", self.base_seed, 0, MAX_SEED)
        if self.analyse_every is not None:
            _check_integer("interval of full analyses", self.analyse_every, 1, MAX_ANALYSIS_INTERVAL)
        if self.batch_size is not None:
            _check_integer("batch size", self.batch_size, 1, 4096)
        for name in ("color_adjustment", "record_trajectory"):
            if not isinstance(getattr(self, name), bool):
                raise ArgumentError(f"{name} {getattr(self, name)!r} is neither true nor false.")
        if not isinstance(self.device, str):
            raise ArgumentError(f"Device {self.device!r} is not auto, cpu or cuda:N.")
        if (
            isinstance(self.guidance, bool)
            or not isinstance(self.guidance, (int, float))
            or not 0 <= self.guidance <= MAX_GUIDANCE
        ):
            raise ArgumentError(f"The guidance {self.guidance!r} is not a number from 0 to {MAX_GUIDANCE}.")

        for name in self.counts:
            self.condition_of(name)  # refuses a class that contradicts the condition

    def condition_of(self, label: str) -> Condition:
        """The condition of the images under a label of ``counts``: with the class, if the label is a class code.

        Raises:
            ArgumentError: the class contradicts the condition.
        """
        condition = self.condition or Condition()
        if label not in CLASSES:
            return condition
        if condition.class_name not in (None, label):
            raise ArgumentError(f"The class {condition.class_name} of the condition is not {label}; name one of them.")
        if condition.melanocytic is not None and condition.melanocytic != MELANOCYTIC[label]:
            word = "yes" if condition.melanocytic else "no"
            raise ArgumentError(f"Melanocytic {word!r} contradicts the class {label}; leave it unknown.")
        return replace(condition, class_name=label)

    @property
    def total(self) -> int:
        """Images over all classes."""
        return sum(self.counts.values())

    def to_json(self) -> dict[str, Any]:
        """The job as plain JSON values."""
        values: dict[str, Any] = {"format": JOB_FORMAT}
        for field in fields(self):
            values[field.name] = _plain(getattr(self, field.name))
        return values

    @classmethod
    def from_json(cls, values: object, source: str) -> GenerationJob:
        """Check and take over what a job file holds.

        Raises:
            ArgumentError: not a job, an unknown or missing field, or a value out of range; names ``source``.
        """
        if not isinstance(values, dict) or values.get("format") != JOB_FORMAT:
            raise ArgumentError(f'{source} is not a generation job: "format" is not "{JOB_FORMAT}".')
        if not isinstance(values.get("counts"), dict):
            raise ArgumentError(f'{source} does not say what to generate: "counts" must map classes to numbers.')
        settings = checked_fields(values, {field.name for field in fields(cls)}, (), source)
        for name in {"checkpoints", "output", "masks"} & set(settings):
            if settings[name] is not None or name != "masks":
                settings[name] = path_field(settings[name], name, source)
        if settings.get("condition") is not None:
            settings["condition"] = Condition.from_json(settings["condition"])
        return cls(**settings)

    @classmethod
    def load(cls, file: Path) -> GenerationJob:
        """Read a job file (UTF-8 JSON).

        Raises:
            ArgumentError: the file is not there, not JSON or not a job.
        """
        return cls.from_json(read_job_file(file), str(file))

    def save(self, file: Path) -> None:
        """Write a job file that ``load`` accepts.

        Raises:
            ArgumentError: the file cannot be written.
        """
        try:
            write_whole(file, encode_json(self.to_json(), indent=2))
        except OSError as error:
            raise ArgumentError(f"The job file {file} cannot be written: {error.strerror}.") from error


def parse_counts(text: str, condition: Condition | None = None) -> dict[str, int]:
    """Read ``MEL=4,NV=2`` or ``ALL=3``; under a condition also ``ANY=5``, images of no class in particular.

    Raises:
        ArgumentError: an unknown class, a class named twice, or a count that is not a positive integer.
    """
    if condition is not None and "," not in text and text.strip().upper().startswith(f"{ANY}="):
        counted = parse_counts(text.strip().upper().replace(f"{ANY}=", "ALL="))
        return {condition.label: next(iter(counted.values()))}
    counts: dict[str, int] = {}
    for part in text.split(","):
        name, separator, number = (piece.strip() for piece in part.partition("="))
        name = name.upper()
        if not separator:
            raise ArgumentError(
                f"{part.strip()!r} does not say how many: write CLASS=NUMBER, as in MEL=4,NV=2 or ALL=3."
            )
        if name != "ALL" and name not in CLASSES:
            raise _unknown_class(name)
        if not (number.isascii() and number.isdigit() and int(number) > 0):
            raise ArgumentError(f"The count {number!r} of {name} is not a positive integer.")
        for class_name in CLASSES if name == "ALL" else (name,):
            if class_name in counts:
                raise ArgumentError(f"{class_name} is named twice in {text!r}; name each class once.")
            counts[class_name] = int(number)
    return counts


def _plain(value: object) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Condition):
        return value.to_json()
    return dict(value) if isinstance(value, Mapping) else value


def _check_counts(counts: Mapping[str, int], labels: Sequence[str]) -> None:
    if not counts:
        raise ArgumentError("The job names no class; choose at least one of " + ", ".join(labels) + ".")
    for name, number in counts.items():
        if name not in labels:
            raise (
                _unknown_class(name)
                if labels is CLASSES
                else ArgumentError(f"Images under this condition are counted under {labels[0]}, not {name!r}.")
            )
        _check_integer(f"count of {name}", number, 1, 9_999_999)


def _unknown_class(name: str) -> ArgumentError:
    return ArgumentError(f"There is no class {name!r}; choose from {', '.join(CLASSES)} or ALL.")


def _check_integer(what: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ArgumentError(f"The {what} {value!r} is not a whole number from {low} to {high}.")


def _check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ArgumentError(f"There is no {what} {value!r}; choose from {', '.join(choices)}.")
