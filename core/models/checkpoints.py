"""Checkpoints: every published form of a UNet, read without executing code from the file, and a cache of models."""

from __future__ import annotations

import logging
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from core.acceleration.cpu_unet import speed_up
from core.classes import CLASSES
from core.errors import CheckpointError, JobFailedError
from core.io.atomic_files import sha256_of
from core.io.regular_file import utf8_path
from core.models.architectures import DEFAULT_SCHEDULER, DEFAULT_UNET
from core.models.autoencoders import AutoencoderWeights, LatentDecoder, read_autoencoder
from core.models.checkpoint_checks import (
    DAMAGED,
    check_archive,
    check_config,
    check_runs,
    check_scheduler,
    check_tensors,
    first_sentence,
    without_advice,
)
from core.models.devices import DTYPES, enough_memory, free_memory
from core.models.diffusers_files import DIFFUSERS_FOLDER, is_diffusers_file, read_diffusers_file
from core.models.foreign_unets import metadata_unets_in, refuse_foreign_unet
from core.models.model_lookup import checkpoint_file
from core.models.state_dicts import find_weights, normalise_names
from core.models.torchvision_shim import declare_missing_operators

if TYPE_CHECKING:
    from diffusers import UNet2DModel

UNET_FORMAT: Final = "isicgui.unet/1"
LATENT_FORMAT: Final = "isicgui.latent_unet/1"
_LARGEST_IMAGE: Final = 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A UNet as a file holds it.

    Attributes:
        path: the file.
        config: arguments of ``diffusers.UNet2DModel``.
        scheduler: arguments of ``diffusers.DDPMScheduler``, the training schedule.
        state_dict: weights under diffusers' present names, on the CPU, in the dtype of the file.
        provenance: what the file says of its origin; empty for a bare state_dict.
        form: which of the known forms the file has, in words.
        autoencoder: for a latent model, which turns the latents that the UNet denoises into images; None for a model
            of RGB images.
    """

    path: Path
    config: dict[str, Any]
    scheduler: dict[str, Any]
    state_dict: dict[str, torch.Tensor] = field(repr=False)
    provenance: dict[str, Any]
    form: str
    autoencoder: AutoencoderWeights | None = None

    def __post_init__(self) -> None:
        check_scheduler(self.path, self.scheduler)

    @property
    def image_size(self) -> int:
        """Height and width of the images, in pixels."""
        ratio = self.autoencoder.ratio if self.autoencoder else 1
        return int(self.config["sample_size"]) * ratio

    @property
    def has_masks(self) -> bool:
        """Whether each image comes with a lesion mask."""
        return self.autoencoder is not None and self.autoencoder.mask_channel

    @property
    def parameters(self) -> int:
        """Number of weights of the UNet."""
        return sum(tensor.numel() for tensor in self.state_dict.values())

    @property
    def is_demo(self) -> bool:
        """Whether these are the bundled demonstration weights."""
        return self.provenance.get("demonstration", False) is True

    def build(self, device: torch.device | str = "cpu", precision: str = "fp32", plain: bool = False) -> UNet2DModel:
        """The model, ready to be evaluated: weights loaded, channels-last, in the precision asked for.

        Args:
            device: where it is to run.
            precision: as in a job, resolved.
            plain: keep diffusers' own form of every part, also where another one is faster
                (``core.acceleration.cpu_unet``).

        Raises:
            JobFailedError: memory does not suffice.
        """
        with enough_memory(device, f"the model {self.path.name}"):
            return self._build(device, precision, plain)

    def without_weights(self) -> Checkpoint:
        """The same without its tensors: as long as they are there, they keep the file mapped into memory."""
        autoencoder = self.autoencoder.without_weights() if self.autoencoder else None
        return replace(self, state_dict={}, autoencoder=autoencoder)

    def load(self, device: torch.device, precision: str, sha256: str) -> LoadedModel:
        """The model in memory with all that generation needs, and with the hash of its file.

        Raises:
            JobFailedError: memory does not suffice.
        """
        model = self.build(device, precision)
        decoder, size = None, bytes_of(model)
        if self.autoencoder:
            with enough_memory(device, f"the autoencoder of {self.path.name}"):
                decoder = self.autoencoder.build(device)
            size += bytes_of(decoder.model)
        return LoadedModel(model, self.without_weights(), sha256, size, decoder)

    def _build(self, device: torch.device | str, precision: str, plain: bool) -> UNet2DModel:
        model = _empty_model(self.config)
        # Copies, in fp32 too: a model in memory must neither keep its file from being replaced, as a mapped file is
        # on Windows, nor change with it.
        model.load_state_dict(
            {name: tensor.to(torch.float32, copy=True) for name, tensor in self.state_dict.items()}, assign=True
        )
        model.requires_grad_(False).eval()
        if torch.device(device).type == "cpu" and not plain:
            speed_up(model, precision)
        # nn.Module's own `to`: diffusers' version warns of a list of fp32 modules that is empty for a UNet2DModel.
        move: Any = torch.nn.Module.to  # typed without memory_format
        move(model, device=device, dtype=DTYPES[precision], memory_format=torch.channels_last)
        return model


def bytes_of(model: torch.nn.Module) -> int:
    """What the weights of a model take in memory."""
    return sum(weight.numel() * weight.element_size() for weight in model.parameters())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint of any known form (docs/models.md): RGB or latent, or a training file.

    The tensors are memory-mapped: this costs little until they are used. Nothing in the file is executed.

    Raises:
        CheckpointError: missing, damaged, not a UNet of the expected architecture, or holding anything but
            tensors and plain values.
        JobFailedError: memory does not suffice.
    """
    content = read_diffusers_file(path, load_file_safely) if is_diffusers_file(path) else load_file_safely(path)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not the weights of a UNet.")
    is_pipeline = content.get("form") == DIFFUSERS_FOLDER
    if content.get("format") == LATENT_FORMAT or (is_pipeline and "autoencoder" in content):
        return read_latent(path, content)
    if content.get("format") == UNET_FORMAT or is_pipeline:
        config, scheduler = _described(path, content)
        weights, form = content.get("state_dict"), content.get("form", UNET_FORMAT)
    else:
        config, scheduler = dict(DEFAULT_UNET), dict(DEFAULT_SCHEDULER)
        weights, form = find_weights(content, lambda: _parameter_names(config))
    if not isinstance(weights, Mapping) or not weights:
        raise CheckpointError(f"{path} holds no weights of a UNet under any known name.")
    check_tensors(path, weights)
    state_dict = normalise_names(weights)
    refuse_foreign_unet(path, state_dict)
    check_weights(path, config, state_dict)
    provenance = content.get("provenance")
    described = dict(provenance) if isinstance(provenance, Mapping) else {}
    return Checkpoint(path, config, scheduler, state_dict, described, form)


def read_latent(path: Path, content: Mapping[str, Any]) -> Checkpoint:
    """Check the content of a latent checkpoint whose UNet takes no condition.

    Raises:
        CheckpointError: a part is missing, damaged or does not fit the others.
    """
    config, scheduler, autoencoder = _described_latent(path, content)
    if config.get("num_class_embeds") is not None or config.get("class_embed_type") is not None:
        raise CheckpointError(f"{path} is a model of all conditions; export it as one file per class first.")
    weights = content.get("state_dict")
    if not isinstance(weights, Mapping) or not weights:
        raise CheckpointError(f"{path} holds no weights of a UNet.")
    check_weights(path, config, weights)
    _check_finite(path, weights)
    provenance = content.get("provenance")
    described = dict(provenance) if isinstance(provenance, Mapping) else {}
    form = content.get("form", LATENT_FORMAT)
    return Checkpoint(path, config, scheduler, dict(weights), described, form, autoencoder)


def _described_latent(
    path: Path, content: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], AutoencoderWeights]:
    config, scheduler = content.get("config"), content.get("scheduler")
    if not isinstance(config, Mapping) or not isinstance(scheduler, Mapping):
        raise CheckpointError(f'{path} has the form {LATENT_FORMAT} but no "config" or no "scheduler".')
    autoencoder = read_autoencoder(path, content.get("autoencoder"))
    size = config.get("sample_size")
    if not isinstance(size, int) or isinstance(size, bool) or not 8 <= size * autoencoder.ratio <= _LARGEST_IMAGE:
        raise CheckpointError(
            f"{path} has sample_size {size!r}, latents of {autoencoder.ratio} pixels each; images from 8 to "
            f"{_LARGEST_IMAGE} pixels are supported."
        )
    channels = (config.get("in_channels", 3), config.get("out_channels", 3))
    if channels != (autoencoder.latent_channels,) * 2:
        raise CheckpointError(
            f"{path} has a UNet of {channels[0]!r} channels and an autoencoder of {autoencoder.latent_channels} latent "
            "channels; they do not belong together."
        )
    return dict(config), dict(scheduler), autoencoder


def _check_finite(path: Path, weights: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in weights.items():
        if not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(f"{path} holds the weight {name}, which is not finite; train or download it again.")


def load_file_safely(path: Path, kind: str = "checkpoint", *, mapped: bool = True) -> Any:
    """What a file of tensors and plain values holds; nothing in it is executed.

    Args:
        path: the file.
        kind: what it should be, for the messages.
        mapped: map the tensors into memory, which costs little until they are used; as long as they are, Windows
            does not let the file be replaced.

    Raises:
        CheckpointError: missing, damaged, or holding anything else.
        JobFailedError: memory does not suffice: a file of the old format is read into it as a whole.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no {kind} {path}.")
    try:
        if is_zip := _is_zip(path):
            check_archive(path)
        with enough_memory("cpu", f"the {kind} {path.name}"), without_advice(), utf8_path(path) as file:
            return torch.load(file, map_location="cpu", weights_only=True, mmap=mapped and is_zip)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} was refused: it is damaged or holds more than tensors and plain values, "
            "and such a file could run code when it is opened; nothing in it was executed."
        ) from error
    except DAMAGED as error:
        raise CheckpointError(f"{path} is damaged or not a PyTorch {kind} ({first_sentence(error)}).") from error


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"  # only torch's zip format can be memory-mapped


def _described(path: Path, content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    config, scheduler = content.get("config"), content.get("scheduler", DEFAULT_SCHEDULER)
    if not isinstance(config, Mapping) or not isinstance(scheduler, Mapping):
        raise CheckpointError(f'{path} has the form {UNET_FORMAT} but no "config" or no valid "scheduler".')
    size = config.get("sample_size")
    if not isinstance(size, int) or not 8 <= size <= _LARGEST_IMAGE:
        raise CheckpointError(
            f"{path} has sample_size {size!r}; images from 8 to {_LARGEST_IMAGE} pixels are supported."
        )
    if (config.get("in_channels", 3), config.get("out_channels", 3)) != (3, 3):
        raise CheckpointError(f"{path} is not a model of RGB images: in_channels and out_channels must be 3.")
    if config.get("num_class_embeds") is not None or config.get("class_embed_type") is not None:
        raise CheckpointError(f"{path} is a class-conditional model; export it as one file a class first.")
    return dict(config), dict(scheduler)


def _empty_model(config: Mapping[str, Any]) -> UNet2DModel:
    """The architecture without memory for its weights, which skips a random initialisation of all of them."""
    declare_missing_operators()
    from diffusers import UNet2DModel  # noqa: PLC0415 - takes seconds, and listing files does not need it

    with torch.device("meta"):
        return UNet2DModel(**config)


def _parameter_names(config: Mapping[str, Any]) -> list[str]:
    return [name for name, _ in _empty_model(config).named_parameters()]


def check_weights(path: Path, config: Mapping[str, Any], state_dict: Mapping[str, torch.Tensor]) -> None:
    """Whether these are the weights of ``UNet2DModel(**config)``: every one of them, in shape, and no other.

    Raises:
        CheckpointError: they are not; the message names the first that differs.
    """
    check_config(path, config)
    check_tensors(path, state_dict)
    try:
        model = _empty_model(config)
    except DAMAGED as error:
        raise CheckpointError(f"{path} describes a UNet that cannot be built ({first_sentence(error)}).") from error
    check_runs(path, model, config)
    expected = model.state_dict()
    for name, tensor in expected.items():
        if name not in state_dict:
            raise CheckpointError(
                f"{path} is not a UNet of the expected architecture: the weight {name} is missing; "
                f"a model of another shape must say so in a file of the form {UNET_FORMAT}."
            )
        found = state_dict[name]
        if found.shape != tensor.shape or not found.is_floating_point():
            raise CheckpointError(
                f"{path} is not a UNet of the expected architecture: {name} is {tuple(found.shape)}, "
                f"not {tuple(tensor.shape)}."
            )
    extra = sorted(set(state_dict) - set(expected))
    if extra:
        raise CheckpointError(
            f"{path} is not a UNet of the expected architecture: it has the foreign weight {extra[0]}."
        )


@dataclass(frozen=True)
class ClassStatus:
    """What the checkpoints folder holds for one class; ``problem`` is None when it can be used."""

    class_name: str
    file: Path
    bytes: int = 0
    sha256: str = ""
    checkpoint: Checkpoint | None = None
    problem: str | None = None


def class_status(folder: Path, class_name: str) -> ClassStatus:
    """Look at the checkpoint of one class: is it there, what is it, can it be used here and now."""
    file = checkpoint_file(folder, class_name)
    if not file.is_file():
        return ClassStatus(class_name, file, problem="no file")
    size = file.stat().st_size
    try:
        checkpoint = read_checkpoint(file)
    except (CheckpointError, JobFailedError) as error:
        return ClassStatus(class_name, file, size, sha256_of(file), problem=str(error))
    return ClassStatus(class_name, file, size, sha256_of(file), checkpoint)


def has_any_checkpoint(folder: Path) -> bool:
    """Whether the folder holds a checkpoint file of any class, usable or not."""
    return any(checkpoint_file(folder, name).is_file() for name in CLASSES)


def readable_classes(folder: Path) -> list[str]:
    """The classes whose model in the folder can be used."""

    def is_readable(class_name: str) -> bool:
        try:
            read_checkpoint(checkpoint_file(folder, class_name))
        except (CheckpointError, JobFailedError):
            return False
        return True

    return [name for name in CLASSES if is_readable(name)]


def problems_of_foreign_unets(folder: Path) -> list[str]:
    """Why models of melanoma-fair-xai in the folder, which its file names suggest, are not used."""
    problems = []
    for file in metadata_unets_in(folder):
        try:
            read_checkpoint(file)
        except (CheckpointError, JobFailedError) as error:
            problems.append(str(error))
    return problems


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory with the checkpoint that it came from, without its weights, and the hash of its file.

    ``decoder`` turns latents into images; None for a model of RGB images.
    """

    model: UNet2DModel
    checkpoint: Checkpoint
    sha256: str
    bytes: int
    decoder: LatentDecoder | None = None


class ModelCache:
    """Models in memory, least recently used first out, bounded by bytes; emptied when the device changes."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._device: torch.device | None = None
        self._models: OrderedDict[tuple[str, int, int, str], LoadedModel] = OrderedDict()

    def get(self, path: Path, device: torch.device, precision: str) -> LoadedModel:
        """The model of a checkpoint file, from memory when the file has not changed since.

        Raises:
            CheckpointError: the file cannot be used.
            JobFailedError: memory does not suffice.
        """
        if device != self._device:
            self.clear()
            self._device = device
        if not path.is_file():
            raise CheckpointError(f"There is no checkpoint {path}.")
        facts = path.stat()
        key = (str(path), facts.st_mtime_ns, facts.st_size, precision)
        if key not in self._models:
            _log.info("Loading %s on %s in %s", path, device, precision)
            self._models[key] = self._read(path, device, precision)
            self._evict(device)
        self._models.move_to_end(key)
        return self._models[key]

    def clear(self) -> None:
        """Let go of every model."""
        self._models.clear()

    def __len__(self) -> int:
        return len(self._models)

    def _read(self, path: Path, device: torch.device, precision: str) -> LoadedModel:
        return read_checkpoint(path).load(device, precision, sha256_of(path))

    def _evict(self, device: torch.device) -> None:
        # A quarter of what is free: the rest belongs to activations and to other programs.
        limit = self._limit if self._limit is not None else free_memory(device) // 4
        while len(self._models) > 1 and sum(entry.bytes for entry in self._models.values()) > limit:
            self._models.popitem(last=False)
