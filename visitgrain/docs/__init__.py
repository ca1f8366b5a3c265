"""Pages and data contracts, generated from the table declarations. No pyspark here."""

from __future__ import annotations

from visitgrain.docs.generate import generate

__all__ = ["generate"]
