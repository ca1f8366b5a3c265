"""Pages, data contracts and schemas, generated from the tables and the metric catalogue. No pyspark here."""

from __future__ import annotations

from visitgrain.docs.generate import generate, update_columns

__all__ = ["generate", "update_columns"]
