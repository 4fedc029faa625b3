"""Jobs for ``python -m evaluation``: the set, the real images and the settings. Does not load torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from core.classes import CLASSES
from core.errors import ArgumentError
from core.io.job_file import checked_fields, path_field, read_job_file
from core.paths import CHECKPOINTS, PROJECT_ROOT
from core.presets import AUTO

EVALUATION_FORMAT: Final = "isicgui.evaluation/1"
COMPARISON_FORMAT: Final = "isicgui.comparison/1"
CACHE: Final = PROJECT_ROOT / "runs" / "evaluation_cache"
FEATURES: Final = ("imagenet", "classifier", "inception")
UTILITIES: Final = ("", "features", "network")
LEAST_SIZE: Final = 16
LARGEST_SIZE: Final = 256
"""Images are compared at no more than this size: networks take 224 to 299 px; 10,000 images must fit in memory."""
_PATHS: Final = ("images", "real", "output", "checkpoints", "cache")


@dataclass(frozen=True)
class EvaluationJob:
    """One generated set and the folder of real images to compare it with.

    Attributes:
        images: the generated set: ``<CLASS>/*.png`` (or JPEG).
        real: real images: class folders, or images listed by a table with lesion_id, image_id and dx.
        output: folder for the report, ``evaluation.json`` and the dataset card.
        classes: classes to measure; empty for all classes of the set.
        quick: use fewer real images, repetitions and controls, for a first result.
        utility: train classifiers with and without the set: ``features`` (a head on frozen features), ``network``
            (a whole network), or empty for none.
        fail_on_copies: end with exit code 1 if copies are found.
        features: networks to use, from ``FEATURES``; empty for those that need no download.
        size: height and width in pixels at which images are compared; 0 for ``image_loading.common_size``.
        checkpoints: folder that may contain ``classifier.pth``.
        cache: folder for computed features.
        device: ``auto``, ``cpu`` or ``cuda:N``.
        seed: seed of all random draws.

    Raises:
        ArgumentError: a value is out of its range; the message names it.
    """

    images: Path
    real: Path
    output: Path
    classes: tuple[str, ...] = ()
    quick: bool = False
    utility: str = ""
    fail_on_copies: bool = False
    features: tuple[str, ...] = ()
    size: int = 0
    checkpoints: Path = CHECKPOINTS
    cache: Path = CACHE
    device: str = AUTO
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", _names("class", self.classes, CLASSES))
        object.__setattr__(self, "features", _names("set of features", self.features, FEATURES))
        if self.utility not in UTILITIES:
            raise ArgumentError(f"The usefulness test {self.utility!r} does not exist; choose features or network.")
        for name in ("quick", "fail_on_copies"):
            if not isinstance(getattr(self, name), bool):
                raise ArgumentError(f"{name} {getattr(self, name)!r} is not true or false.")
        _check_whole("seed", self.seed, 0, 2**31 - 1)
        if self.size != 0:
            _check_whole("size", self.size, LEAST_SIZE, LARGEST_SIZE)
        if not isinstance(self.device, str):
            raise ArgumentError(f"Device {self.device!r} is not auto, cpu or cuda:N.")

    def to_json(self) -> dict[str, Any]:
        """The content of the job file; paths are absolute because the process runs in another folder."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: str(value.resolve()) if isinstance(value, Path) else value for name, value in values.items()}
        return {"format": EVALUATION_FORMAT, **plain}


@dataclass(frozen=True)
class ComparisonJob:
    """Several sets to compare in one table.

    Attributes:
        sets: folders, each a generated set or the output of an evaluation (with ``evaluation.json``).
        output: folder for the tables and for the evaluations of generated sets.
        settings: other fields of ``EvaluationJob`` for the sets that are not evaluated yet.
    """

    sets: tuple[Path, ...]
    output: Path
    settings: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The content of the job file."""
        paths = {"sets": [str(folder.resolve()) for folder in self.sets], "output": str(self.output.resolve())}
        return {"format": COMPARISON_FORMAT, **self.settings, **paths}

    def evaluation_of(self, images: Path, output: Path, size: int) -> EvaluationJob:
        """The job that evaluates one of the sets; ``size`` is used unless the settings name one.

        Raises:
            ArgumentError: the settings name no real images.
        """
        if "real" not in self.settings:
            raise ArgumentError(
                f"{images} is not a finished evaluation, and evaluating it needs real images: add --real."
            )
        values = {"format": EVALUATION_FORMAT, **self.settings, "images": str(images), "output": str(output)}
        values["size"] = self.settings.get("size") or size
        return _evaluation(values, "the comparison")


def load_job(file: Path) -> EvaluationJob | ComparisonJob:
    """Read a job file (UTF-8 JSON) of either kind.

    Raises:
        ArgumentError: the file is missing, is not JSON, is not such a job, or has an unknown, missing or invalid field.
    """
    values = read_job_file(file)
    form = values.get("format") if isinstance(values, dict) else None
    if form == EVALUATION_FORMAT:
        return _evaluation(values, str(file))
    if form == COMPARISON_FORMAT:
        return _comparison(values, str(file))
    raise ArgumentError(
        f'{file} is not an evaluation job: "format" is not "{EVALUATION_FORMAT}" or "{COMPARISON_FORMAT}".'
    )


def _evaluation(values: dict[str, Any], source: str) -> EvaluationJob:
    known = {field.name for field in fields(EvaluationJob)}
    settings = checked_fields(values, known, ("images", "real", "output"), source)
    for name in known & set(_PATHS) & set(settings):
        settings[name] = path_field(settings[name], name, source)
    return EvaluationJob(**settings)


def _comparison(values: dict[str, Any], source: str) -> ComparisonJob:
    known = {field.name for field in fields(EvaluationJob)} - {"images"} | {"sets"}
    settings = checked_fields(values, known, ("sets", "output"), source)
    sets, output = settings.pop("sets"), settings.pop("output")
    if not isinstance(sets, list) or len(sets) < 2:
        raise ArgumentError(f"{source}: a comparison needs at least two sets; name them.")
    folders = tuple(path_field(folder, "sets", source) for folder in sets)
    return ComparisonJob(folders, path_field(output, "output", source), settings)


def _names(what: str, values: object, known: tuple[str, ...]) -> tuple[str, ...]:
    """The given names in the order of ``known``, without repetition."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise ArgumentError(f"{values!r} is not a list of names; choose from {', '.join(known)}.")
    wrong = [value for value in values if value not in known]
    if wrong:
        raise ArgumentError(f"The {what} {wrong[0]!r} does not exist; choose from {', '.join(known)}.")
    return tuple(name for name in known if name in values)


def _check_whole(what: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ArgumentError(f"The {what} {value!r} is not a whole number from {low} to {high}.")
