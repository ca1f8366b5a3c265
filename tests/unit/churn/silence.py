"""A small panel with a known truth."""

from __future__ import annotations

import numpy as np

from visitgrain.churn.panel import Panel, panel_of, sigmoid


def small_panel(rows: int = 1200, months: int = 12, seed: int = 1) -> Panel:
    """Risk rises with log(1 + recency) and where `gap` is missing, falls with `visits`; `noise` says nothing."""
    chance = np.random.default_rng(seed)
    recency, visits = chance.exponential(20, rows), chance.poisson(4, rows)
    gap = np.where(chance.random(rows) < 0.3, np.nan, chance.exponential(5, rows))
    log_odds = 1.2 * np.log1p(recency) - 0.5 * visits + 1.0 * np.isnan(gap) - 1.5
    silent = chance.random(rows) < sigmoid(log_odds)
    x = np.column_stack([recency, visits, gap, chance.normal(size=rows)])
    month = np.datetime64("2025-01") + np.arange(rows) % months
    return panel_of(("recency", "visits", "gap", "noise"), x, silent, month, np.arange(rows) // 3)
