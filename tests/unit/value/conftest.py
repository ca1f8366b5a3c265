"""CDNOW: purchases of 23,570 customers of a shop of 1997, and every tenth of them."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from visitgrain.value.rfm import summaries

CALIBRATION_END = date(1997, 9, 30)
FILES = {
    "sample": ("sample_1in10_clvtools", "Id", "Date", "Price"),
    "all": ("transactions", "customer_id", "date", "amount"),
}


@pytest.fixture(scope="package")
def purchases(shared) -> dict[str, pl.DataFrame]:
    """`customer`, `day`, `amount` of both files."""
    found = {}
    for name, (file, customer, day, amount) in FILES.items():
        whole = pl.read_parquet(shared / f"data/cdnow/{file}.parquet")
        found[name] = whole.select(customer=customer, day=pl.col(day).cast(pl.Date), amount=amount)
    return found


@pytest.fixture(scope="package")
def customers(purchases) -> dict[str, pl.DataFrame]:
    """Summaries at the end of September 1997, and `later`: purchase days of the 39 weeks after."""
    return {name: _with_hold_out(frame) for name, frame in purchases.items()}


def _with_hold_out(frame: pl.DataFrame) -> pl.DataFrame:
    later = frame.filter(pl.col("day") > CALIBRATION_END).group_by("customer").agg(later=pl.col("day").n_unique())
    known = summaries(frame, CALIBRATION_END)
    return known.join(later, on="customer", how="left").with_columns(pl.col("later").fill_null(0)).sort("customer")
