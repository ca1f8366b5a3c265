"""A double as two whole numbers: what comes back is the sum of the fractions, whatever the order of the rows."""

from __future__ import annotations

from fractions import Fraction

from pyspark.sql.types import DoubleType, LongType

from visitgrain.expressions.exact import parts, whole


def test_doubles_add_up_exactly_and_whole_numbers_stay(spark) -> None:
    values = [0.1, 0.2, -0.3, -7.25, None, 1e9 + 0.7, 2.0**40, -1e-12, 0.999999999999]
    frame = spark.createDataFrame([(value, 3 if value else None) for value in values], "x double, n int")
    split = frame.selectExpr(*parts("x", DoubleType()), *parts("n", LongType()))
    added = split.selectExpr("sum(x) x", "sum(x__fraction) x__fraction", "sum(n) n")
    [row] = added.selectExpr(whole("x", DoubleType()), whole("n", LongType())).collect()
    want = sum((Fraction(str(value)) for value in values if value is not None), Fraction())
    assert abs(Fraction(row.x) - want) < Fraction(1, 4096)  # the step of doubles near 2**40
    [alone] = (
        spark.sql("select 0.1D x union all select 0.2D")
        .selectExpr(*parts("x", DoubleType()))
        .selectExpr("sum(x) x", "sum(x__fraction) x__fraction")
        .selectExpr(whole("x", DoubleType()))
        .collect()
    )
    assert alone.x == 0.3  # 0.1 + 0.2 as doubles is 0.30000000000000004
    assert row.n == 24
