"""Curves and tables as figures. The caller saves them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from classification.evaluation.metrics import confusion, reliability
from xai.figures import CLASS_COLOURS

_SIDE_IN: Final = 4.2
_DPI: Final = 144


def save(figure: Figure, file: Path) -> Path:
    """Write a figure as a PNG; return the file."""
    figure.savefig(file, dpi=_DPI, bbox_inches="tight", facecolor="white")
    return file


def roc_figure(curves: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> Figure:
    """ROC curves of several questions: name, positive bool (N,), scores (N,)."""
    figure, axes = _square("1 - specificity", "sensitivity")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle="--")
    for name, positive, scores in curves:
        false_rate, sensitivity, _ = roc_curve(positive, scores)
        label = f"{name}, AUC {auc(false_rate, sensitivity):.3f}"
        axes.plot(false_rate, sensitivity, color=CLASS_COLOURS.get(name), linewidth=1.2, label=label)
    axes.legend(fontsize=7, loc="lower right", frameon=False)
    return figure


def precision_recall_figure(curves: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> Figure:
    """Precision-recall curves of several questions; the legend shows the share of positives."""
    figure, axes = _square("sensitivity (recall)", "precision")
    for name, positive, scores in curves:
        precision, recall, _ = precision_recall_curve(positive, scores)
        label = f"{name}, AP {average_precision_score(positive, scores):.3f} ({positive.mean():.1%} positive)"
        axes.plot(recall, precision, color=CLASS_COLOURS.get(name), linewidth=1.2, drawstyle="steps-post", label=label)
    axes.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, frameon=False)
    return figure


def reliability_figure(confidence: np.ndarray, right: np.ndarray, what: str) -> Figure:
    """Observed frequency against predicted probability, with the number of images of each bin.

    Args:
        confidence: probabilities, (N,).
        right: bool (N,), whether the predicted event occurred.
        what: name of the probability.
    """
    figure, axes = _square(what, "observed frequency")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8, linestyle="--")
    bins = reliability(confidence, right)
    axes.plot([mean for mean, _, _ in bins], [share for _, share, _ in bins], marker="o", markersize=3.5, linewidth=1)
    for mean, share, images in bins:
        style: dict[str, Any] = {"xytext": (4, -4), "rotation": -45, "rotation_mode": "anchor", "va": "center"}
        axes.annotate(f"{images}", (mean, share), textcoords="offset points", fontsize=6, color="0.4", **style)
    return figure


def confusion_figure(truth: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> Figure:
    """Counts, coloured by the share of the row."""
    table = confusion(truth, predicted, len(classes))
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    side = max(3.0, 0.62 * len(classes))
    figure = Figure(figsize=(side, side))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(table.shape):
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, f"{table[row, column]}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(classes)), classes, fontsize=8)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return figure


def intervals_figure(rows: Sequence[tuple[str, str, float, float, float]], what: str) -> Figure:
    """Dots with intervals: group, series, value, low, high; groups from top to bottom."""
    groups = list(dict.fromkeys(row[0] for row in rows))
    series = list(dict.fromkeys(row[1] for row in rows))
    figure = Figure(figsize=(5.2, 0.9 + 0.2 * len(groups) * (1 + len(series))))
    axes = figure.subplots()
    for number, name in enumerate(series):
        mine = [row for row in rows if row[1] == name]
        offset = 0.7 * ((len(series) - 1) / 2 - number) / len(series)  # around the line of the group, first on top
        heights = [offset - groups.index(row[0]) for row in mine]
        values = np.array([row[2] for row in mine])
        spread = np.array([[row[2] - row[3] for row in mine], [row[4] - row[2] for row in mine]]).clip(min=0)
        axes.errorbar(values, heights, xerr=spread, fmt="o", markersize=4, linewidth=1, capsize=2, label=name)
    axes.set_yticks([-number for number in range(len(groups))], groups, fontsize=8)
    axes.set_ylim(0.5 - len(groups), 0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(what)
    axes.grid(axis="x", color="0.9")
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def fidelity_figure(shares: Sequence[int], curves: Sequence[tuple[str, np.ndarray, bool]]) -> Figure:
    """Mean drop of the score by the removed share of the image: name, drops (P,), whether it is the control."""
    figure = Figure(figsize=(_SIDE_IN, 0.8 * _SIDE_IN))
    axes = figure.subplots()
    for name, falls, control in curves:
        axes.plot(shares, falls, linewidth=1.2, linestyle="--" if control else "-", label=name)
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.set_xlabel("percent of the image removed, most important first")
    axes.set_ylabel("mean drop of the probability")
    axes.legend(fontsize=7, frameon=False)
    return figure


def _square(horizontal: str, vertical: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_SIDE_IN, _SIDE_IN))
    axes = figure.subplots()
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(horizontal)
    axes.set_ylabel(vertical)
    return figure, axes
