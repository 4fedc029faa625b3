"""Jobs for ``python -m evaluation``: what to measure against what. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from core.classes import CLASSES
from core.errors import ArgumentError
from core.io.job_file import checked_fields, path_field, read_job_file
from core.paths import CHECKPOINTS, RUNS
from core.presets import AUTO

EVALUATION_FORMAT: Final = "isicgui.evaluation/1"
COMPARISON_FORMAT: Final = "isicgui.comparison/1"
CACHE: Final = RUNS / "evaluation_cache"
FEATURES: Final = ("imagenet", "classifier", "inception")
UTILITIES: Final = ("", "features", "network")
LEAST_SIZE: Final = 16
LARGEST_SIZE: Final = 256
"""Images are compared at no more than this: the networks take 224 to 299, and ten thousand images fit into memory."""
_PATHS: Final = ("images", "real", "output", "checkpoints", "cache")


@dataclass(frozen=True)
class EvaluationJob:
    """One generated set to be measured against one folder of real images.

    Attributes:
        images: the generated set: ``<CLASS>/*.png`` (JPEG is read too).
        real: real images: class folders, or images that a table with lesion_id, image_id and dx lists.
        output: folder that receives the report, ``evaluation.json`` and the dataset card.
        classes: those to be measured; empty for all that the set has.
        quick: fewer real images, repetitions and controls; for a first look.
        utility: train classifiers with and without the set: ``features`` (a head on frozen features), ``network``
            (a whole network), or empty for none.
        fail_on_copies: end with exit code 1 where copies are found.
        features: networks to be used, of ``FEATURES``; empty for those that need no download.
        size: height and width at which images are compared; 0 for what ``image_loading.common_size`` finds.
        checkpoints: folder that may hold ``classifier.pth``.
        cache: folder where features are kept by the content of the image.
        device: ``auto``, ``cpu`` or ``cuda:N``.
        seed: of every draw.

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
            raise ArgumentError(f"There is no usefulness test {self.utility!r}; choose from features, network.")
        for name in ("quick", "fail_on_copies"):
            if not isinstance(getattr(self, name), bool):
                raise ArgumentError(f"{name} {getattr(self, name)!r} is neither true nor false.")
        _check_whole("seed", self.seed, 0, 2**31 - 1)
        if self.size != 0:
            _check_whole("size", self.size, LEAST_SIZE, LARGEST_SIZE)
        if not isinstance(self.device, str):
            raise ArgumentError(f"Device {self.device!r} is not auto, cpu or cuda:N.")

    def to_json(self) -> dict[str, Any]:
        """As the job file holds it; paths are made absolute, because the process works in another folder."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {name: str(value.resolve()) if isinstance(value, Path) else value for name, value in values.items()}
        return {"format": EVALUATION_FORMAT, **plain}


@dataclass(frozen=True)
class ComparisonJob:
    """Several sets to be tabulated side by side.

    Attributes:
        sets: folders, each a generated set or the output of an evaluation (it holds ``evaluation.json``).
        output: folder that receives the tables, and the evaluations of generated sets.
        settings: further fields of ``EvaluationJob`` for the sets that have to be evaluated first.
    """

    sets: tuple[Path, ...]
    output: Path
    settings: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As the job file holds it."""
        paths = {"sets": [str(folder.resolve()) for folder in self.sets], "output": str(self.output.resolve())}
        return {"format": COMPARISON_FORMAT, **self.settings, **paths}

    def evaluation_of(self, images: Path, output: Path, size: int) -> EvaluationJob:
        """The job that evaluates one of the sets, at a size that suits all of them unless one was named.

        Raises:
            ArgumentError: no real images were named.
        """
        if "real" not in self.settings:
            raise ArgumentError(
                f"{images} is no finished evaluation, and to evaluate it real images are needed: add --real."
            )
        values = {"format": EVALUATION_FORMAT, **self.settings, "images": str(images), "output": str(output)}
        values["size"] = self.settings.get("size") or size
        return _evaluation(values, "the comparison")


def load_job(file: Path) -> EvaluationJob | ComparisonJob:
    """Read a job file (UTF-8 JSON) of either kind.

    Raises:
        ArgumentError: not there, not JSON, not such a job, an unknown or missing field, or a value out of range.
    """
    values = read_job_file(file)
    form = values.get("format") if isinstance(values, dict) else None
    if form == EVALUATION_FORMAT:
        return _evaluation(values, str(file))
    if form == COMPARISON_FORMAT:
        return _comparison(values, str(file))
    raise ArgumentError(f'{file} is no evaluation job: "format" is not "{EVALUATION_FORMAT}" or "{COMPARISON_FORMAT}".')


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
    """The named ones in the order of ``known``, each once."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise ArgumentError(f"{values!r} is not a list of names; choose from {', '.join(known)}.")
    wrong = [value for value in values if value not in known]
    if wrong:
        raise ArgumentError(f"There is no {what} {wrong[0]!r}; choose from {', '.join(known)}.")
    return tuple(name for name in known if name in values)


def _check_whole(what: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ArgumentError(f"The {what} {value!r} is not a whole number from {low} to {high}.")
