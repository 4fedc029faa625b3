"""Draw the figures of an analysis from the values in its JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from core.classes import CLASSES

_OKABE_ITO: Final = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
CLASS_COLOURS: Final[Mapping[str, str]] = dict(zip(CLASSES, _OKABE_ITO, strict=True))
"""Colours that colour-blind readers can distinguish (Okabe and Ito, 2008)."""
_MAP, _RANDOM, _AGAINST = "#D55E00", "#8A94A3", "#0072B2"
_INK, _QUIET = "#1c2430", "#5b6675"
_MOSAIC_PX: Final = 1500
_TILE_PX: Final = (24, 128)
_FONT_PX: Final = 11


def probabilities_over_steps(steps: Sequence[Mapping[str, Any]], target: str) -> Figure:
    """Draw the probability of every class after each step. The line of the target is thick; kept steps have dots."""
    figure, axes = _figure(8.2, 3.4)
    numbers = [step["step"] for step in steps]
    for name in sorted(CLASSES, key=lambda name: name == target):  # the target on top
        values = [step["probabilities"][name] for step in steps]
        width, layer = (2.6, 3) if name == target else (1.2, 2)
        axes.plot(numbers, values, color=CLASS_COLOURS[name], linewidth=width, zorder=layer, label=name)
    kept = [step for step in steps if step["kept"]]
    heights = [step["probabilities"][target] for step in kept]
    axes.plot([step["step"] for step in kept], heights, "o", color=CLASS_COLOURS[target], markersize=5, zorder=4)
    axes.set(xlabel="denoising step", ylabel="probability", ylim=(-0.02, 1.02), xlim=(min(numbers), max(numbers)))
    handles, labels = axes.get_legend_handles_labels()
    order = np.argsort([CLASSES.index(label) for label in labels])
    axes.legend(
        [handles[i] for i in order], [labels[i] for i in order], loc="center left", bbox_to_anchor=(1.01, 0.5), **_FRAME
    )
    return figure


def time_shap_bars(result: Mapping[str, Any], target: str) -> Figure:
    """Draw the contribution of every group of steps with its standard error."""
    figure, axes = _figure(8.2, 3.0)
    values, errors = np.array(result["contributions"]), np.array(result["standard_errors"])
    places = np.arange(len(values))
    colours = [_MAP if value >= 0 else _AGAINST for value in values]
    axes.bar(places, values, color=colours, width=0.72, yerr=errors, error_kw={"elinewidth": 1.2, "capsize": 3})
    axes.axhline(0, color=_INK, linewidth=0.8)
    names = [f"{group['first_step']}–{group['last_step']}" for group in result["groups"]]  # noqa: RUF001
    axes.set_xticks(places, names, fontsize=8)
    axes.set(xlabel="group of denoising steps", ylabel=f"contribution ({target} logit)")
    return figure


def causal_dots(check: Mapping[str, Any]) -> Figure:
    """Draw the fall of the score for every region of the two groups, and the interval of random groups."""
    names = list(check["interventions"])
    figure = Figure(figsize=(8.2, 3.2))
    for place, (axes, name) in enumerate(zip(figure.subplots(1, len(names), sharey=True), names, strict=True)):
        result = check["interventions"][name]
        falls = np.array(result["falls"])
        for position, (group, colour) in enumerate((("top_regions", _MAP), ("bottom_regions", _AGAINST))):
            values = falls[check[group]]
            spread = np.linspace(-0.16, 0.16, len(values))
            axes.plot(position + spread, values, "o", color=colour, markersize=4.5, alpha=0.75, markeredgewidth=0)
            axes.plot([position - 0.28, position + 0.28], [values.mean()] * 2, color=colour, linewidth=2.4)
        axes.axhline(0, color=_INK, linewidth=0.8, zorder=0)
        axes.set_xticks([0, 1], [f"top {check['k']}", f"bottom {check['k']}"], fontsize=8)
        axes.set_xlim(-0.55, 1.55)
        axes.set_title(name, fontsize=10)
        _tidy(axes)
        if place == 0:
            axes.set_ylabel("fall of the logit")
    figure.tight_layout()
    return figure


def fidelity_curves(faithfulness: Mapping[str, Any], target: str) -> Figure:
    """Draw deletion and insertion in the order of the map and in random orders."""
    figure = Figure(figsize=(8.2, 3.2))
    for axes, name in zip(figure.subplots(1, 2, sharey=True), ("deletion", "insertion"), strict=True):
        curve = faithfulness[name]
        shares = np.linspace(0, 1, len(curve["scores"]))
        random = np.array(curve["random_scores"])
        axes.fill_between(shares, random.min(axis=0), random.max(axis=0), color=_RANDOM, alpha=0.25, linewidth=0)
        label = f"random orders, AUC {curve['random_auc_mean']:.3f}"
        axes.plot(shares, random.mean(axis=0), color=_RANDOM, linewidth=1.6, linestyle="--", label=label)
        axes.plot(shares, curve["scores"], color=_MAP, linewidth=2.4, label=f"the map, AUC {curve['auc']:.3f}")
        axes.set(xlabel=f"share of the image {'removed' if name == 'deletion' else 'restored'}", xlim=(0, 1))
        axes.set_ylim(-0.02, 1.02)
        axes.set_title(name, fontsize=10)
        axes.legend(fontsize=8, **_FRAME)
        _tidy(axes)
    figure.axes[0].set_ylabel(f"p({target})")
    figure.tight_layout()
    return figure


def kept_steps(tiles: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> Figure:
    """Draw estimates above their overlays. Each tile is a title and two images, uint8 (S, S, 3)."""
    columns = min(len(tiles), 10)
    rows = -(-len(tiles) // columns)
    figure = Figure(figsize=(1.25 * columns + 0.1, 2.85 * rows))
    grid = figure.add_gridspec(2 * rows, columns, left=0.005, right=0.995, top=1 - 0.3 / (2.85 * rows), bottom=0.005)
    grid.update(wspace=0.05, hspace=0.2 if rows > 1 else 0.03)
    for index, (title, *pictures) in enumerate(tiles):
        for below, picture in enumerate(pictures):
            axes = figure.add_subplot(grid[2 * (index // columns) + below, index % columns])
            axes.imshow(picture, interpolation="lanczos")
            axes.set_axis_off()
            if not below:
                axes.set_title(title, fontsize=8, pad=3)
    return figure


def mosaic(frames: np.ndarray, timesteps: Sequence[int], kept: Sequence[int]) -> Image.Image:
    """Draw the numbered estimates of all steps in one image, with a frame around kept steps.

    Args:
        frames: uint8 (T, S, S, 3).
        timesteps: T timesteps, written next to the step numbers.
        kept: numbers of the kept steps, from 1.
    """
    columns = min(len(frames), max(10, round((1.6 * len(frames)) ** 0.5)))
    side = int(np.clip(_MOSAIC_PX // columns, *_TILE_PX))
    size = max(_FONT_PX, side // 8)
    text = size + 4 if side >= 60 else 0  # smaller tiles are too narrow for a number
    rows = -(-len(frames) // columns)
    sheet = Image.new("RGB", (columns * (side + 6) + 6, rows * (side + text + 6) + 6), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size)
    for index, frame in enumerate(frames):
        x, y = 6 + index % columns * (side + 6), 6 + index // columns * (side + text + 6)
        if index + 1 in kept:
            draw.rectangle((x - 3, y - 3, x + side + 2, y + side + 2), fill=_MAP)
        sheet.paste(Image.fromarray(frame).resize((side, side), Image.Resampling.LANCZOS), (x, y))
        if text:
            draw.text((x + 1, y + side + 1), f"{index + 1}  (t {timesteps[index]})", fill=_QUIET, font=font)
    return sheet


_FRAME: Final[dict[str, Any]] = {"frameon": False}


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    _tidy(axes)
    return figure, axes


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_QUIET)
    axes.xaxis.label.set_fontsize(9)
    axes.yaxis.label.set_fontsize(9)
    axes.tick_params(colors=_QUIET, labelcolor=_INK, labelsize=8)
    axes.grid(axis="y", color="#e6eaef", linewidth=0.8)
    axes.set_axisbelow(True)
