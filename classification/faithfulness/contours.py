"""Images with the contour of what a method marks: read at a glance, the lesion under it untouched."""

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
    """One image and what its methods say.

    Attributes:
        row: in the part.
        image_id: its name.
        kind: TP, FP, TN or FN.
        class_name: its label.
        score: probability of yes.
        pixels: uint8 (S, S, 3).
        maps: name of a method to its values (S, S).
    """

    row: int
    image_id: str
    kind: str
    class_name: str
    score: float
    pixels: np.ndarray = field(repr=False)
    maps: Mapping[str, np.ndarray] = field(repr=False)


def contour_figures(explained: Sequence[Explained]) -> list[tuple[Explained, Figure, str]]:
    """One figure an image, the contours of its methods over it, with a caption."""
    ordered = sorted(explained, key=lambda item: (item.kind, item.row))
    return [(item, _figure(item), _caption(item)) for item in ordered]


def _caption(item: Explained) -> str:
    return f"{item.kind}: {item.image_id}, {item.class_name}, probability {item.score:.2f}"


def _figure(item: Explained) -> Figure:
    figure = Figure(figsize=(2.4 * len(item.maps), 2.5))
    places = np.atleast_1d(figure.subplots(1, len(item.maps)))
    for place, (name, values) in zip(places, item.maps.items(), strict=True):
        place.imshow(item.pixels)
        smooth = gaussian_filter(np.asarray(values, float), _SMOOTHING_PX)
        level = float(np.quantile(smooth, 1 - _ENCLOSED))
        if smooth.min() < level < smooth.max():
            for colour, width in (("black", 2.4), (_COLOURS[name], 1.2)):
                place.contour(smooth, [level], colors=colour, linewidths=width)
        place.set_title(NAMES[name], fontsize=8)
        place.set_axis_off()
    figure.tight_layout()
    return figure
