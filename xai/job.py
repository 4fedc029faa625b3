"""A job for ``python -m xai``: the image, the kind of explanation, and the results folder. Does not load torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from core.classes import CLASSES
from core.errors import ArgumentError, IsicGuiError
from core.io.atomic_files import sha256_of
from core.io.job_file import checked_fields, path_field, read_job_file
from core.io.json_text import encode_json
from core.presets import AUTO

JOB_FORMAT: Final = "isicgui.xai/1"
OVERLAY: Final = "overlay"
ANALYSIS: Final = "analysis"
KINDS: Final = (OVERLAY, ANALYSIS)
TARGETS: Final = ("predicted", "label", *CLASSES)
EVERY_VARIABLE: Final = "XAI_SAVE_EVERY_N"
DEFAULT_EVERY: Final = 5
NAME: Final = "image"
FACTS_FILE: Final = f"{NAME}_facts.json"
MAP_FILE: Final = f"{NAME}_map.png"
ANALYSIS_FILE: Final = "analysis.json"
REPORT_FILE: Final = "report.html"
_REQUIRED: Final = ("kind", "image", "checkpoints", "output")
_PATHS: Final = ("image", "checkpoints", "output")
_MOST: Final = 1000


@dataclass(frozen=True)
class ExplanationJob:
    """The explanation of one image.

    Attributes:
        kind: ``overlay`` for a fast explanation during generation, in the background on the processor;
            ``analysis`` for the full analysis.
        image: any image file.
        checkpoints: folder with the classifier and the checkpoint of the image.
        output: folder of all results; each image has a subfolder, see ``result_folder``.
        every: keep every N-th denoising step with its overlay, 1 to 1000; None uses ``XAI_SAVE_EVERY_N``.
        target: ``predicted``, ``label`` or a class.
        device: as in a generation job.
        seed: of everything that is drawn.
        threads: of an analysis on the processor, 1 to 1000; None leaves it to torch.

    Raises:
        ArgumentError: a value is out of range; the message names it.
    """

    kind: str
    image: Path
    checkpoints: Path
    output: Path
    every: int | None = None
    target: str = TARGETS[0]
    device: str = AUTO
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ArgumentError(f"There is no kind of explanation {self.kind!r}; choose from {', '.join(KINDS)}.")
        if self.target not in TARGETS:
            raise ArgumentError(f"The target {self.target!r} is not a class; choose from {', '.join(TARGETS)}.")
        if self.every is not None:
            _check_whole("number of steps in 'every'", self.every, 1, _MOST)
        if self.threads is not None:
            _check_whole("number of threads", self.threads, 1, _MOST)
        _check_whole("seed", self.seed, 0, 2**31 - 1)
        if not isinstance(self.device, str):
            raise ArgumentError(f"Device {self.device!r} is not auto, cpu or cuda:N.")

    def to_json(self) -> dict[str, Any]:
        """Return the content of the job file."""
        values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        return {"format": JOB_FORMAT, **values}

    def encoded(self) -> bytes:
        """Return the job file as UTF-8 JSON."""
        return encode_json(self.to_json(), indent=2)

    @classmethod
    def from_json(cls, values: object, source: str) -> ExplanationJob:
        """Create a job from the checked content of a job file.

        Raises:
            ArgumentError: the content is not a job, a field is unknown or missing, or a value is out of range. The
                message names ``source``.
        """
        if not isinstance(values, dict) or values.get("format") != JOB_FORMAT:
            raise ArgumentError(f'{source} is not an explanation job: "format" is not "{JOB_FORMAT}".')
        settings = checked_fields(values, {field.name for field in fields(cls)}, _REQUIRED, source)
        for name in _PATHS:
            settings[name] = path_field(settings[name], name, source)
        return cls(**settings)

    @classmethod
    def load(cls, file: Path) -> ExplanationJob:
        """Read a job file (UTF-8 JSON).

        Raises:
            ArgumentError: the file does not exist, is not JSON, or is not a job.
        """
        return cls.from_json(read_job_file(file), str(file))


def background_analysis(image: Path, checkpoints: Path, output: Path, every: int | None = None) -> ExplanationJob:
    """The full analysis of an image while others are generated: one thread, and no GPU.

    The lowest priority alone would not do: the threads of torch wait for the slowest of them.
    """
    return ExplanationJob(ANALYSIS, image, checkpoints, output, every, device="cpu", threads=1)


def every_of(job: ExplanationJob, environment: Mapping[str, str]) -> int:
    """Return N of "keep every N-th step": the value of the job, else ``XAI_SAVE_EVERY_N``, else 5.

    Raises:
        ArgumentError: the variable is not a whole number from 1 to 1000.
    """
    if job.every is not None:
        return job.every
    text = environment.get(EVERY_VARIABLE, "").strip() or str(DEFAULT_EVERY)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST):
        raise ArgumentError(f"{EVERY_VARIABLE} is {text!r}; set it to a whole number from 1 to {_MOST}.")
    return int(text)


def result_folder(output: Path, image: Path) -> Path:
    """Return the results folder of an image: ``MEL_ISIC_0000001_3f2a9c1b`` in the folder of all results.

    The last part is from the hash of the image. Images with the same name in different folders therefore have
    different folders, and the results of an image are found even if the image is moved.

    Raises:
        IsicGuiError: the image cannot be read.
    """
    try:
        digest = sha256_of(image)[:8]
    except OSError as error:
        raise IsicGuiError(f"{image} cannot be read: {error.strerror}.") from error
    folder = image.resolve().parent.name
    name = f"{folder}_{image.stem}" if folder in CLASSES else image.stem
    return output / f"{name}_{digest}"


def _check_whole(what: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ArgumentError(f"The {what} {value!r} is not a whole number from {low} to {high}.")
