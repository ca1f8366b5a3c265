"""How each feature is told to people: phrases of the catalogue, and of metrics their names."""

from __future__ import annotations

from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.churn_phrases import Phrase

WINDOW = {
    "month": ("in the month", "本月"),
    "r7": ("in the last 7 days", "近7天"),
    "r28": ("in the last 28 days", "近28天"),
}
WINDOW |= {"r30": ("in the last 30 days", "近30天"), "r90": ("in the last 90 days", "近90天")}


def phrases_of(catalogue: Catalogue) -> dict[str, Phrase]:
    """By feature."""
    told = dict(catalogue.churn_phrases)
    for window in catalogue.churn.metric_windows:
        en, zh = WINDOW[window]
        for name, metric in catalogue.metrics.metrics.items():
            told[f"{name}_{window}"] = Phrase(en=f"{metric.en} {en}", zh=f"{zh}{metric.zh}", decimals=2)
    return told
