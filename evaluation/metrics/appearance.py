"""Colour and texture of images, in figures that can be imagined, compared with real images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from evaluation.features.image_loading import grey
from evaluation.features.image_set import Side
from evaluation.features.splits import halves, mixed_as
from evaluation.metrics.resemblance import ALL, LEAST
from evaluation.progress import Progress, Work

MEASURES: Final = {
    "red": "mean of the red channel, 0 to 255",
    "green": "mean of the green channel, 0 to 255",
    "blue": "mean of the blue channel, 0 to 255",
    "contrast": "standard deviation of the luminance, 0 to 255",
    "colourfulness": "Hasler and Süsstrunk's measure (Proc. SPIE 5007, 2003)",
    "edges": "mean length of the luminance gradient, per pixel",
    "sharpness": "standard deviation of the Laplacian of the luminance",
    "fine detail": "share of the luminance's variance above half of the highest frequency",
    "entropy": "of the luminance's histogram, in bits",
}
"""Each measure and its description."""
_STAGE: Final = "Measuring colour and texture"
_PROGRESS_EVERY: Final = 200
_LEVELS: Final = 64


@dataclass(frozen=True)
class Appearance:
    """One measure of one class.

    Attributes:
        measure: a key of ``MEASURES``.
        class_name: a class, or ``ALL``.
        value, sd: mean and standard deviation over the images of the set.
        real, real_sd: the same for real images, with the classes in the set's proportions.
        difference: difference of the means, in standard deviations of the real images.
        floor_95: 95th percentile of the absolute difference between halves of the real images, in the same unit.
        n_set, n_real: numbers of images.
    """

    measure: str
    class_name: str
    value: float
    sd: float
    real: float
    real_sd: float
    difference: float
    floor_95: float
    n_set: int
    n_real: int

    def to_json(self) -> dict[str, Any]:
        """The measure as plain JSON values."""
        return asdict(self)


def measure(image: np.ndarray) -> np.ndarray:
    """All ``MEASURES`` of an image uint8 (S, S, 3), in their order, (9,)."""
    colours = image.astype(np.float32)
    light = grey(image).astype(np.float32)
    down, right = np.gradient(light)
    laplacian = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:] - 4 * light[1:-1, 1:-1]
    shares = np.histogram(light, _LEVELS, (0, 256))[0] / light.size
    shares = shares[shares > 0]
    return np.array(
        [
            *colours.mean(axis=(0, 1)),
            light.std(),
            _colourfulness(colours),
            np.hypot(down, right).mean(),
            laplacian.std(),
            _fine_share(light),
            -(shares * np.log2(shares)).sum(),
        ]
    )


def appearance(generated: Side, real: Side, divisions: int, seed: int) -> Work[list[Appearance]]:
    """Compute every measure for each class and for all images together."""
    of_set = yield from _measured(generated)
    of_real = yield from _measured(real)
    classes = list(generated.counts())
    found: list[Appearance] = []
    for group in [ALL, *classes] if len(classes) > 1 else classes:
        found += _of_group(
            group, classes if group == ALL else [group], (generated, of_set), (real, of_real), divisions, seed
        )
    return found


def _of_group(
    group: str,
    classes: Sequence[str],
    generated: tuple[Side, np.ndarray],
    real: tuple[Side, np.ndarray],
    divisions: int,
    seed: int,
) -> list[Appearance]:
    rng = np.random.default_rng(seed)
    rows = generated[1][np.isin(generated[0].labels, classes)]
    mix = {name: int((generated[0].labels == name).sum()) for name in classes}
    labels, lesions = real[0].labels, real[0].lesions
    chosen = mixed_as(np.arange(len(labels)), labels, mix, rng, len(labels))
    if len(rows) < LEAST or len(chosen) < LEAST:
        return []
    reference = real[1][chosen]
    scale = np.maximum(reference.std(axis=0), 1e-6)
    gaps = []
    for _ in range(divisions):
        sides = [mixed_as(half, labels, mix, rng, len(labels)) for half in halves(labels, lesions, rng)]
        if all(map(len, sides)):
            gaps.append(np.abs(real[1][sides[0]].mean(axis=0) - real[1][sides[1]].mean(axis=0)) / scale)
    floors = np.percentile(gaps, 95, axis=0) if gaps else np.full(len(MEASURES), np.nan)
    difference = (rows.mean(axis=0) - reference.mean(axis=0)) / scale
    return [
        Appearance(
            measure=name,
            class_name=group,
            value=float(rows[:, column].mean()),
            sd=float(rows[:, column].std()),
            real=float(reference[:, column].mean()),
            real_sd=float(reference[:, column].std()),
            difference=float(difference[column]),
            floor_95=float(floors[column]),
            n_set=len(rows),
            n_real=len(reference),
        )
        for column, name in enumerate(MEASURES)
    ]


def _measured(side: Side) -> Work[np.ndarray]:
    rows = np.empty((len(side), len(MEASURES)))
    for index, image in enumerate(side.pixels):
        if index % _PROGRESS_EVERY == 0:
            yield Progress(_STAGE, index, len(side))
        rows[index] = measure(image)
    return rows


def _colourfulness(colours: np.ndarray) -> float:
    red_green = colours[..., 0] - colours[..., 1]
    yellow_blue = (colours[..., 0] + colours[..., 1]) / 2 - colours[..., 2]
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def _fine_share(light: np.ndarray) -> float:
    power = np.abs(np.fft.fft2(light - light.mean())) ** 2
    frequencies = np.abs(np.fft.fftfreq(len(light)))
    fine = np.maximum(frequencies[:, None], frequencies[None]) > 0.25
    total = power.sum()
    return float(power[fine].sum() / total) if total > 0 else 0.0
