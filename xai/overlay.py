"""Draw attributions: the map over the grey image, next to the original image."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from core.io.plain_text import printable
from xai.attribution import Attribution
from xai.combine import normalised, smoothed

_COLOURS: Final = mpl.colormaps["RdBu_r"]  # colour-blind readers can distinguish them
_COLOUR_RANGE: Final = 0.82  # the ends of the colour map are too dark to show a lesion
_OPACITY: Final = 0.78
_DARKENING: Final = 0.92  # of the grey image, so that light colours are visible on light skin
METHOD_SMOOTHING_PX: Final = 2.0  # single pixels of Integrated Gradients are not visible
_OUTLINED: Final = 0.5
_DPI: Final = 100
_PANEL_IN, _HEADING_IN, _SUMMARY_IN, _BAR_IN, _NOTE_IN, _LINE_IN, _GAP_IN = 3.4, 0.75, 0.5, 0.5, 0.4, 0.19, 0.05
_SHAPES: Final = (0.3, 1.5)  # limits for height / width of a panel; longer images are drawn smaller
_LARGEST_PX: Final = 640
_SUMMARY_LETTERS: Final = 46
_HEADING_PER_IN, _NOTICE_PER_IN = 8.5, 11  # characters that fit into an inch
_DISCLAIMER: Final = "Research software, not a medical device."


@dataclass(frozen=True)
class Caption:
    """The texts of the figure: heading, code of the target class, classifier, warnings."""

    heading: str
    target: str
    classifier: str
    notices: tuple[str, ...] = ()


def blend(pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Draw a map over the grey image: red is evidence for the target, blue is evidence against it.

    Args:
        pixels: uint8 (H, W, 3).
        values: (h, w) in [-1, 1]; scaled to the size of the image.

    Returns:
        uint8 (H, W, 3).
    """
    height, width = pixels.shape[:2]
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float32)[..., None] / 255 * _DARKENING
    fitted = Image.fromarray(np.asarray(values, np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    strength = np.clip(np.asarray(fitted), -1, 1)
    colours = _COLOURS((strength * _COLOUR_RANGE + 1) / 2)[..., :3]
    opacity = _OPACITY * np.abs(strength)[..., None] ** 0.75
    return np.clip((grey * (1 - opacity) + colours * opacity) * 255, 0, 255).round().astype(np.uint8)


def overlay_png(
    pixels: np.ndarray, attributions: Sequence[Attribution], combined: Attribution, caption: Caption
) -> bytes:
    """Draw the image, the combined overlay and the overlay of each method, with a colour bar; return a PNG.

    Args:
        pixels: uint8 (H, W, 3) of any size.
        attributions: attributions of the methods, at least one.
        combined: result of ``xai.combine.combine``.
        caption: texts above and below the panels.
    """
    pixels = _bounded(pixels)
    panels = [combined] if len(attributions) == 1 else [combined, *attributions]
    width = _PANEL_IN * (len(panels) + 1)
    notices = textwrap.wrap(printable(" ".join(caption.notices)), int(width * _NOTICE_PER_IN))
    shape = float(np.clip(pixels.shape[0] / pixels.shape[1], *_SHAPES))
    below = _SUMMARY_IN + _BAR_IN + _NOTE_IN + _LINE_IN * len(notices) + _GAP_IN
    figure = Figure(figsize=(width, _HEADING_IN + _PANEL_IN * shape + below), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    top, bottom = 1 - _HEADING_IN / figure.get_figheight(), below / figure.get_figheight()
    grid = figure.add_gridspec(1, len(panels) + 1, left=0.01, right=0.99, top=top, bottom=bottom, wspace=0.04)
    places = [figure.add_subplot(grid[0, column]) for column in range(len(panels) + 1)]
    _draw(places[0], pixels, "Image", "")
    for place, attribution in zip(places[1:], panels, strict=True):
        _draw_overlay(place, pixels, attribution, outlined=attribution is combined)
    _write(figure, caption, notices)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": "ISICGUI"})
    return stream.getvalue()


def _bounded(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.thumbnail((_LARGEST_PX, _LARGEST_PX))  # a panel cannot show more pixels
    return np.asarray(image)


def _draw_overlay(place: Axes, pixels: np.ndarray, attribution: Attribution, *, outlined: bool) -> None:
    smooth = attribution.values if outlined else smoothed(attribution.values, METHOD_SMOOTHING_PX)
    strength = normalised(smooth)
    details = attribution.details
    _draw(place, blend(pixels, strength), details.get("title", attribution.method), details.get("summary", ""))
    if outlined and strength.max() > _OUTLINED:
        height, width = pixels.shape[:2]
        columns = (np.arange(strength.shape[1]) + 0.5) * width / strength.shape[1] - 0.5
        rows = (np.arange(strength.shape[0]) + 0.5) * height / strength.shape[0] - 0.5
        for colour, line_width in (("black", 2.2), ("white", 1.1)):
            place.contour(columns, rows, strength, [_OUTLINED], colors=colour, linewidths=line_width)


def _draw(place: Axes, pixels: np.ndarray, title: str, summary: str) -> None:
    place.imshow(pixels, interpolation="lanczos")
    place.set_axis_off()
    place.set_title(title, fontsize=11, pad=4)
    wrapped = "\n".join(textwrap.wrap(summary, _SUMMARY_LETTERS))
    place.text(0.5, -0.03, wrapped, transform=place.transAxes, ha="center", va="top", fontsize=8, color="0.25")


def _write(figure: Figure, caption: Caption, notices: Sequence[str]) -> None:
    """Draw the heading at the top, and notices, note and colour bar below the panels."""
    height = figure.get_figheight()
    heading = textwrap.wrap(printable(caption.heading), int(figure.get_figwidth() * _HEADING_PER_IN))
    figure.text(0.01, 1 - 0.08 / height, "\n".join(heading[:2]), fontsize=12, weight="bold", va="top", parse_math=False)
    red: dict[str, Any] = {"fontsize": 9, "weight": "bold", "color": "#a00000"}
    figure.text(0.01, _GAP_IN / height, "\n".join(notices), va="bottom", parse_math=False, **red)
    bottom = _GAP_IN + _LINE_IN * len(notices)
    note = (
        "Each map is scaled to its own strongest pixels. The line encloses what speaks for "
        f"{caption.target} at least half as much as they do.\n{printable(caption.classifier)} {_DISCLAIMER}"
    )
    grey: dict[str, Any] = {"fontsize": 7.5, "color": "0.35"}
    figure.text(0.5, (bottom + 0.06) / height, note, ha="center", va="bottom", parse_math=False, **grey)
    _colour_bar(figure, caption.target, bottom + _NOTE_IN + 0.25)


def _colour_bar(figure: Figure, target: str, bottom: float) -> None:
    """Draw the colour bar with the colours of the overlays over medium grey; ``bottom`` is in inches."""
    ramp = np.tile(np.linspace(-1, 1, 256, dtype=np.float32), (8, 1))
    width = 4.0 / figure.get_figwidth()
    bar = figure.add_axes((0.5 - width / 2, bottom / figure.get_figheight(), width, 0.16 / figure.get_figheight()))
    bar.imshow(blend(np.full((8, 256, 3), 140, np.uint8), ramp), aspect="auto", extent=(-1, 1, 0, 1))
    bar.set_yticks([])
    bar.set_xticks([-1, 0, 1], [f"evidence against {target}", "none", f"evidence for {target}"], fontsize=8)
    bar.tick_params(length=2)
