"""Images with the contour of the region that a method marks; the lesion under it stays visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

_ENCLOSED: Final = 0.2
_SMOOTHING_PX: Final = 4.0
NAMES: Final = {"gradcam": "Grad-CAM", "ig": "Integrated Gradients"}
_COLOURS: Final = {"gradcam": "#00e5ff", "ig": "#ffea00"}


@dataclass(frozen=True)
class Explained:
    """One image and the maps of the methods.

    Attributes:
        row: row of the image in its part.
        image_id: name of the image.
        kind: TP, FP, TN or FN.
        class_name: label of the image.
        score: probability of yes.
        pixels: uint8 (S, S, 3).
        maps: name of each method and its attribution, (S, S).
    """

    row: int
    image_id: str
    kind: str
    class_name: str
    score: float
    pixels: np.ndarray = field(repr=False)
    maps: Mapping[str, np.ndarray] = field(repr=False)


def contour_figures(explained: Sequence[Explained]) -> list[tuple[Explained, Figure, str]]:
    """One figure per image with the contours of all methods, and a caption."""
    ordered = sorted(explained, key=lambda item: (item.kind, item.row))
    return [(item, _figure(item), _caption(item)) for item in ordered]


def _caption(item: Explained) -> str:
    return f"{item.kind}: {item.image_id}, {item.class_name}, probability {item.score:.2f}"


def _figure(item: Explained) -> Figure:
    figure = Figure(figsize=(2.4 * len(item.maps), 2.5))
    axes = np.atleast_1d(figure.subplots(1, len(item.maps)))
    for panel, (name, values) in zip(axes, item.maps.items(), strict=True):
        panel.imshow(item.pixels)
        smooth = gaussian_filter(np.asarray(values, float), _SMOOTHING_PX)
        level = float(np.quantile(smooth, 1 - _ENCLOSED))
        if smooth.min() < level < smooth.max():
            for colour, width in (("black", 2.4), (_COLOURS[name], 1.2)):
                panel.contour(smooth, [level], colors=colour, linewidths=width)
        panel.set_title(NAMES[name], fontsize=8)
        panel.set_axis_off()
    figure.tight_layout()
    return figure
