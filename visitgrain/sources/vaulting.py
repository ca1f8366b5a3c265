"""Raw numbers on their way past the lake: what ingest of `numbers` puts into the vault."""

from __future__ import annotations

from pyspark.sql import DataFrame, functions as F

from visitgrain.tables.privacy import VAULT_NUMBERS

RAW = "_number"  # the number of a staged row; `numbers.number` itself is never filled
_HOLDING = ("number_id", "valid_from", "subscriber_id")


def vaulted(staged: DataFrame, numbers: DataFrame, known: DataFrame) -> DataFrame:
    """Rows of the vault, of which it holds `known`: those of the delivery that `numbers` took over come on top."""
    named = staged.where(F.col(RAW).isNotNull()).withColumn("number", F.col(RAW)).select(*VAULT_NUMBERS.column_names)
    came = named.join(numbers.select(*_HOLDING), on=list(_HOLDING), how="left_semi").dropDuplicates(VAULT_NUMBERS.key)
    return known.join(came, on=list(VAULT_NUMBERS.key), how="left_anti").select(*came.columns).unionByName(came)
