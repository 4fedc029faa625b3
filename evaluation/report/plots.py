"""Plots of the report."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from matplotlib.figure import Figure as Plot
from PIL import Image

from core.classes import CLASSES
from evaluation.copy_detection.detector import CopyFindings
from evaluation.features.image_loading import resized
from evaluation.metrics.class_agreement import Agreement
from evaluation.metrics.embedding import Embedding
from xai.figures import CLASS_COLOURS

_REAL: Final = "#8a93a0"
_SYNTHETIC: Final = "#c8502d"
_SHOWN_SIDE: Final = 160
_GAP: Final = 6


def embedding_plot(found: Embedding) -> Plot:
    """Real images as rings, synthetic images as dots, coloured by class."""
    plot = Plot(figsize=(8, 5.4), layout="constrained")
    axes = plot.add_subplot()
    for name in (name for name in CLASSES if name in set(found.generated_labels) | set(found.real_labels)):
        real, generated = found.real[found.real_labels == name], found.generated[found.generated_labels == name]
        colour = CLASS_COLOURS[name]
        axes.scatter(real[:, 0], real[:, 1], s=22, facecolors="none", edgecolors=colour, linewidths=0.8, alpha=0.7)
        axes.scatter(generated[:, 0], generated[:, 1], s=11, color=colour, linewidths=0, label=name)
    axes.scatter([], [], s=22, facecolors="none", edgecolors="black", linewidths=0.8, label="real")
    axes.scatter([], [], s=11, color="black", label="synthetic")
    axes.set(xticks=[], yticks=[])
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return plot


def nearness_plot(found: CopyFindings) -> Plot:
    """Histograms of the nearness to the nearest real image, for the set and the control; one panel per space."""
    plot = Plot(figsize=(3.1 * len(found.thresholds), 2.9), layout="constrained")
    for number, limit in enumerate(found.thresholds):
        axes = plot.add_subplot(1, len(found.thresholds), number + 1)
        of_set, control = (np.minimum(values, limit.copy + 3 * limit.scale) for values in found.nearness[limit.space])
        both = np.concatenate([of_set, control, [limit.copy]])
        bins = np.linspace(both.min(), both.max() * 1.02, 40).tolist()
        for values, colour, label in ((control, _REAL, "real, other lesion"), (of_set, _SYNTHETIC, "synthetic")):
            weights = np.full(len(values), 100 / len(values))
            axes.hist(values, bins, weights=weights, color=colour, alpha=0.6, label=label)
        axes.axvline(limit.suspicious, color="black", linewidth=1, linestyle=":", label="suspicious")
        axes.axvline(limit.copy, color="black", linewidth=1, label="copy")
        axes.set(title=limit.space, xlabel="nearness", ylabel="% of images" if number == 0 else "")
        axes.spines[["top", "right"]].set_visible(False)
    plot.legend(*plot.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return plot


def confusion_plot(found: Agreement) -> Plot:
    """Requested class (rows) against the class that the judge recognises (columns), in per cent of the row."""
    rows = found.confusion.sum(axis=1, keepdims=True)
    shares = 100 * found.confusion / np.maximum(rows, 1)
    plot = Plot(figsize=(4.6, 3.8), layout="constrained")
    axes = plot.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(*shares.shape):
        if rows[row, 0]:
            colour = "white" if shares[row, column] > 55 else "black"
            axes.text(column, row, f"{shares[row, column]:.0f}", ha="center", va="center", fontsize=8, color=colour)
    indices = range(len(found.classes))
    axes.set_xticks(indices, found.classes, fontsize=8)
    axes.set_yticks(indices, found.classes, fontsize=8)
    axes.set(xlabel="seen as", ylabel="asked for")
    return plot


def pair_image(generated: np.ndarray, real: np.ndarray) -> bytes:
    """A synthetic image (left) and a real image (right) as one PNG; both uint8 (S, S, 3)."""
    sheet = np.full((_SHOWN_SIDE, 2 * _SHOWN_SIDE + _GAP, 3), 255, np.uint8)
    sheet[:, :_SHOWN_SIDE] = resized(generated, _SHOWN_SIDE)
    sheet[:, _SHOWN_SIDE + _GAP :] = resized(real, _SHOWN_SIDE)
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
