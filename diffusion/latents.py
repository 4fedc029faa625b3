"""Latents of real images: encoded once in all eight symmetries, then memory-mapped."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from filelock import FileLock
from tqdm import tqdm

from core.errors import JobFailedError
from core.io.atomic_files import sha256_of, whole_file, write_whole
from core.io.json_text import parse_json
from core.models.autoencoders import AutoencoderWeights, build_autoencoder
from core.models.conditions import UNKNOWN
from core.real_data.skin_tone import tone_group, typology_angle
from diffusion.alignment import feature_maps
from diffusion.autoencoder.crops import as_tensor, joined
from diffusion.batches import turned
from diffusion.cache import load_masks, load_pixels
from diffusion.data import LabelledImage

SYMMETRIES: Final = 8
_FORM: Final = 1  # of the cache's files; another number rebuilds them
_BATCH: Final = 16


@dataclass(frozen=True)
class Latents:
    """Encoded images.

    Attributes:
        images: those that could be read, in the order that was asked for, with their skin tones if masks are known.
        array: float16 (N, 8, C, s, s), the raw latents of each image in the eight symmetries of the square, read-only
            and memory-mapped.
        features: float16 (N, 320, h, w), feature maps of the images for ``diffusion.alignment``, unturned.
        unreadable: names of the files that could not be read.
    """

    images: list[LabelledImage]
    array: np.ndarray
    features: np.ndarray
    unreadable: list[str]


def load_latents(
    images: Sequence[LabelledImage], autoencoder: AutoencoderWeights, size: int, cache: Path, device: torch.device
) -> Latents:
    """Load the latents of images, from ``cache`` if they are in it, else by encoding the images.

    Args:
        images: real images, with masks if the autoencoder has a mask channel.
        autoencoder: encodes them; the cache identifies it by its encoder's weights.
        size: height and width of the images, in pixels.
        cache: folder of decoded and encoded images.
        device: where the encoder runs.

    Raises:
        DataError: none of the images can be read.
        JobFailedError: the cache cannot be written.
    """
    pixels = load_pixels(images, size, cache)
    masks = load_masks(pixels.images, size, cache)
    side = size // autoencoder.ratio
    shape = (len(pixels.images), SYMMETRIES, autoencoder.latent_channels, side, side)
    file = cache / f"latents_{size}_{_key(pixels.images, autoencoder, size)}.npy"
    try:
        with FileLock(cache / ".lock"):
            found = _read(file, shape)
            if found is None:
                _write(file, shape, pixels.array, masks, autoencoder, device)
                found = _read(file, shape)
    except OSError as error:
        raise JobFailedError(
            f"The latents cannot be kept in {cache} ({error.strerror or error}); "
            "make room there, or name another folder with --cache."
        ) from error
    assert found is not None, file  # noqa: S101 - written a moment ago
    array, features, tones = found
    known = [_with_tone(*pair) for pair in zip(pixels.images, tones, strict=True)]
    return Latents(known, array, features, pixels.unreadable)


def _with_tone(image: LabelledImage, tone: str) -> LabelledImage:
    return image if tone == UNKNOWN else replace(image, condition=replace(image.condition, tone=tone))


def _key(images: Sequence[LabelledImage], autoencoder: AutoencoderWeights, size: int) -> str:
    digest = hashlib.sha256(json.dumps([_FORM, size, [image.path.name for image in images]]).encode())
    for image in images:
        with contextlib.suppress(FileNotFoundError):
            stat = image.path.stat()
            digest.update(f"{stat.st_size} {stat.st_mtime_ns}".encode())
    for name, tensor in sorted(autoencoder.state_dict.items()):
        if name.startswith("encoder."):
            digest.update(tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _read(file: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, list[str]] | None:
    """The latents, the feature maps and the skin tones; None if the cache does not exist, is incomplete or damaged."""
    try:
        note = parse_json(file.with_suffix(".json").read_text(encoding="utf-8"))
        tones = list(note["tones"])
        if note["sha256"] != _checksums(file):
            return None
        array, features = np.load(file, mmap_mode="r"), np.load(_features_of(file), mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError, KeyError, TypeError):
        return None
    whole = array.shape == shape and array.dtype == np.float16 and len(tones) == len(features) == shape[0]
    return (array, features, tones) if whole else None


def _features_of(file: Path) -> Path:
    return file.with_name(f"features_of_{file.name}")


def _checksums(file: Path) -> list[str]:
    return [sha256_of(file), sha256_of(_features_of(file))]


def _write(
    file: Path,
    shape: tuple[int, ...],
    pixels: np.ndarray,
    masks: np.ndarray,
    autoencoder: AutoencoderWeights,
    device: torch.device,
) -> None:
    with whole_file(_features_of(file), replace=True) as stream:
        np.save(stream, feature_maps(pixels, device))
    tones = [_tone(image, mask) for image, mask in zip(pixels, masks, strict=True)]
    with whole_file(file, replace=True) as stream:
        header = {"descr": "<f2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        with tqdm(total=shape[0], desc="encoding", unit="image", delay=2) as bar:
            for latents in _encoded(pixels, masks if autoencoder.mask_channel else None, autoencoder, device):
                stream.write(latents.tobytes())
                bar.update(len(latents))
    note = {"tones": tones, "sha256": _checksums(file)}  # last: where it is, the rest is too
    write_whole(file.with_suffix(".json"), json.dumps(note).encode())


def _tone(image: np.ndarray, mask: np.ndarray) -> str:
    if (mask == 128).any():  # unknown
        return UNKNOWN
    return tone_group(typology_angle(np.ascontiguousarray(image), mask > 0))


@torch.inference_mode()
def _encoded(
    pixels: np.ndarray, masks: np.ndarray | None, autoencoder: AutoencoderWeights, device: torch.device
) -> Iterator[np.ndarray]:
    """Latents of a batch of images in all symmetries, float16 (B, 8, C, s, s)."""
    model: Any = build_autoencoder(autoencoder.class_name, autoencoder.config)
    model.load_state_dict({name: tensor.float() for name, tensor in autoencoder.state_dict.items()})
    move: Any = torch.nn.Module.to  # typed without memory_format
    move(model.requires_grad_(False).eval(), device=device, memory_format=torch.channels_last)
    for start in range(0, len(pixels), _BATCH):
        own = slice(start, start + _BATCH)
        images = joined(np.asarray(pixels[own]), None if masks is None else np.asarray(masks[own]))
        symmetries = []
        for turn in range(SYMMETRIES):
            batch = as_tensor(np.stack([turned(image, turn) for image in images]))
            batch = batch.to(device).contiguous(memory_format=torch.channels_last)
            symmetries.append(model.encode(batch, return_dict=False)[0].float().cpu().numpy())
        yield np.stack(symmetries, axis=1).astype(np.float16)
