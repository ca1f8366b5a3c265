"""Figures of a model, as images that MLflow shows beside its numbers."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")  # no screen on a driver
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visitgrain.churn.quality import Floats

Rows = Sequence[Mapping[str, Any]]
SHOWN = 20  # features in a figure
DOTS = 1_000  # rows of a SHAP summary


def reliability_plot(rows: Rows) -> Figure:
    """Observed rate against mean score of ten bins of equal size."""
    figure, axes = _plot("Reliability", "mean score", "observed share silent")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot([row["predicted"] for row in rows], [row["observed"] for row in rows], marker="o")
    return figure


def gains_curve(rows: Rows) -> Figure:
    """Share of the silent that the highest scores hold."""
    figure, axes = _plot("Gains", "share of subscribers, highest scores first", "share of the silent")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot([row["share"] for row in rows], [row["captured"] for row in rows])
    return figure


def lift_by_decile(rows: Rows) -> Figure:
    figure, axes = _plot("Lift by decile", "decile, 1 = highest scores", "lift")
    axes.bar([row["decile"] for row in rows], [row["lift"] for row in rows])
    axes.set_xticks([row["decile"] for row in rows])
    axes.axhline(1, color="grey", linestyle=":")
    return figure


def profit_plot(rows: Rows) -> Figure:
    figure, axes = _plot("Profit", "share of subscribers addressed", "yuan per subscriber")
    axes.plot([row["share"] for row in rows], [row["profit_fen"] / 100 for row in rows])
    axes.axhline(0, color="grey", linestyle=":")
    return figure


def learning_curve(rows: Rows) -> Figure:
    """AUC on the choosing months by the number of rows trained on."""
    figure, axes = _plot("Learning curve", "training rows", "AUC on the choosing months")
    axes.plot([row["rows"] for row in rows], [row["auc"] for row in rows], marker="o")
    return figure


def importance_plot(shares: Mapping[str, float]) -> Figure:
    """The features that are used most."""
    first = list(shares.items())[:SHOWN][::-1]
    figure, axes = _plot("Feature importance", "share of the gain of all splits (trees) or of all spread (lines)", "")
    axes.barh([name for name, _ in first], [share for _, share in first])
    return figure


def shap_summary(contributions: Floats, x: Floats, names: Sequence[str]) -> Figure:
    """What each feature adds to the log-odds, row by row; colour = the feature's rank among the rows."""
    order = np.argsort(-np.abs(contributions).mean(axis=0), kind="stable")[:SHOWN]
    rows = slice(0, DOTS)
    figure, axes = _plot("Contributions to the log-odds (SHAP)", "log-odds", "")
    spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(contributions[rows]))
    for place, feature in enumerate(order[::-1]):
        values = x[rows, feature]
        rank = np.argsort(np.argsort(values)) / max(len(values) - 1, 1)
        dots = axes.scatter(contributions[rows, feature], place + spread, c=rank, cmap="coolwarm", s=4, vmin=0, vmax=1)
    legend = figure.colorbar(dots, ax=axes, label="value of the feature; missing counts as high", aspect=40)
    legend.set_ticks([0, 1], labels=["low", "high"])
    axes.set_yticks(range(len(order)), [names[feature] for feature in order[::-1]])
    axes.axvline(0, color="grey", linestyle=":")
    return figure


def comparison_plot(rows: Rows) -> Figure:
    """AUC of every learner on the same test months, with its 95 % interval; the highest on top."""
    figure, axes = _plot("AUC on the test months", "AUC, 95 % interval of subscribers", "")
    rising = sorted(rows, key=lambda row: row["auc"])
    for place, row in enumerate(rising):
        axes.plot([row["auc_low"], row["auc_high"]], [place, place], color="tab:blue")
        axes.plot([row["auc"]], [place], marker="o", color="tab:blue")
    axes.set_yticks(range(len(rising)), [row["learner"] for row in rising])
    return figure


def data_uri(figure: Figure) -> str:
    """The figure itself, for a page that stands alone."""
    image = BytesIO()
    figure.savefig(image, format="png")
    return f"data:image/png;base64,{b64encode(image.getvalue()).decode()}"


def _plot(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 5), layout="tight")
    axes = figure.subplots()
    axes.set(title=title, xlabel=across, ylabel=up)
    return figure, axes
