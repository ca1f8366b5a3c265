"""Several rows of one key: which one stands. Exact, across runs, and the same whatever came first.

* events, campaign_exposures: the earliest received; ties by payload hash. Another payload under the same id is a
  conflict: the loser of an event is kept in `conflicting_events`. What ingest itself noted about an event (exclusion,
  rescued fields, clock skew) is no payload; it only breaks ties.
* orders: the furthest status, so that a late `created` never undoes `paid`; ties by payload hash. The others are
  superseded.
* snapshots (subscriber_month, products, campaign_audiences, numbers): a new delivery replaces the row of its key; a
  delivery that contradicts itself has no winner and is quarantined as `duplicate_key`.
* numbers: nobody holds a number while somebody else does. Where the rows of a number would overlap, the new ones are
  quarantined as `overlap`; what is stored stays.

The load id takes no part: it follows the order of arrival.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window, functions as F

from visitgrain.catalogue.source import ANNOTATIONS, GENERATED
from visitgrain.tables import Table
from visitgrain.tables.inputs import NUMBERS

KEPT, DUPLICATE, CONFLICTING, SUPERSEDED = "kept", "duplicate", "conflicting", "superseded"
CONTRADICTING = DUPLICATE_KEY, OVERLAP = "duplicate_key", "overlap"  # outcomes that are reasons of quarantine
OUTCOME, STORED, PAYLOAD_HASH = "_outcome", "_stored", "_content_hash"
NEWEST = ("subscriber_month", "products", "campaign_audiences", "numbers")
_STATUS_ORDER = {"created": 0, "failed": 1, "paid": 2, "fulfilled": 3, "cancelled": 4}
# A re-sent event differs in these only: it is the same event.
_NOT_PAYLOAD = (*GENERATED, *ANNOTATIONS, "received_time")


def payload(table: Table, *, without: str | None = None) -> Column:
    """What makes two rows of one key the same row: all columns but who loaded them and when they were received."""
    names = [c for c in table.columns if c.name not in (*_NOT_PAYLOAD, without)]
    # Instants as microseconds: the same row has the same hash in every time zone.
    return F.struct(*(F.unix_micros(c.name).alias(c.name) if c.type == "timestamp" else F.col(c.name) for c in names))


def contenders(table: Table) -> tuple[str, ...]:
    """Columns that rows have in common which must be looked at together."""
    return ("number_id",) if table is NUMBERS else table.key


def repeated(new: DataFrame, stored: DataFrame | None, table: Table, key_hash: str) -> DataFrame:
    """Hashes of the contenders that occur more than once, in `new` or in `new` and `stored`. Narrow on purpose."""
    keys = new.select(key_hash)
    twice = keys.groupBy(key_hash).agg(F.count("*").alias("rows")).where("rows > 1").select(key_hash)
    if stored is None:
        return twice
    known = stored.select(F.xxhash64(*contenders(table)).alias(key_hash)).join(keys, on=key_hash, how="left_semi")
    return twice.unionByName(known).distinct()


def contested(new: DataFrame, stored: DataFrame | None, hashes: DataFrame, table: Table, key_hash: str) -> DataFrame:
    """Rows of the repeated keys, old and new, each with its `_outcome`. `_stored` = the row is in the table already."""
    rows = new.join(hashes, on=key_hash, how="left_semi").withColumn(STORED, F.lit(False))
    if stored is not None:
        hashed = stored.withColumn(key_hash, F.xxhash64(*contenders(table))).withColumn(STORED, F.lit(True))
        rows = rows.unionByName(hashed.join(hashes, on=key_hash, how="left_semi"), allowMissingColumns=True)
    rows = rows.withColumn(PAYLOAD_HASH, F.sha2(F.to_json(payload(table)), 256))
    if table.name not in NEWEST:
        return _first(rows, table)
    settled = _newest(rows, table)
    return _without_overlaps(settled) if table is NUMBERS else settled


def _first(rows: DataFrame, table: Table) -> DataFrame:
    notes = F.to_json(F.struct("source", *(name for name in ANNOTATIONS if name in table.column_names)))
    order = [*_rank(table), F.col(PAYLOAD_HASH), notes, F.col(STORED).desc()]
    of_key = Window.partitionBy(*table.key).orderBy(*order)
    of_payload = Window.partitionBy(*table.key, PAYLOAD_HASH).orderBy(*order)
    losing = CONFLICTING if table.name == "events" else SUPERSEDED
    outcome = (
        F.when(F.row_number().over(of_key) == 1, KEPT)
        .when(F.row_number().over(of_payload) > 1, DUPLICATE)
        .when(F.first(PAYLOAD_HASH).over(of_key) == F.col(PAYLOAD_HASH), DUPLICATE)
        .otherwise(losing)
    )
    return rows.withColumn(OUTCOME, outcome)


def _rank(table: Table) -> list[Column]:
    match table.name:
        case "events":
            return [F.col("received_time")]
        case "campaign_exposures":
            return [F.col("exposure_time")]
        case "orders":
            ranks = F.create_map(*(F.lit(part) for pair in _STATUS_ORDER.items() for part in pair))
            return [F.try_element_at(ranks, F.col("status")).desc()]
    raise ValueError(f"table {table.name}: no rule says which row of a key stands")


def _newest(rows: DataFrame, table: Table) -> DataFrame:
    delivered = F.when(~F.col(STORED), F.col(PAYLOAD_HASH))
    of_key = Window.partitionBy(*table.key)
    disagree = F.min(delivered).over(of_key) != F.max(delivered).over(of_key)
    same_as_stored = F.max(F.when(F.col(STORED), F.col(PAYLOAD_HASH))).over(of_key) == F.min(delivered).over(of_key)
    position = F.row_number().over(Window.partitionBy(*table.key, STORED).orderBy("_file", "_position"))
    outcome_of_new = (
        F.when(disagree, DUPLICATE_KEY)
        .when((position > 1) | F.coalesce(same_as_stored, F.lit(False)), DUPLICATE)
        .otherwise(KEPT)
    )
    untouched = F.min(delivered).over(of_key).isNull()  # another row of the number came, not of this key
    outcome_of_stored = F.when(untouched | disagree | same_as_stored, KEPT).otherwise(SUPERSEDED)
    return rows.withColumn(OUTCOME, F.when(F.col(STORED), outcome_of_stored).otherwise(outcome_of_new))


def _without_overlaps(rows: DataFrame) -> DataFrame:
    """Of a number whose standing rows overlap no new row stands, and every stored one does."""
    stands = F.col(OUTCOME) == KEPT
    before = Window.partitionBy("number_id").orderBy("valid_from").rowsBetween(Window.unboundedPreceding, -1)
    forever = F.lit("9999-12-31").cast("date")
    held_until = F.max(F.when(stands, F.coalesce("valid_to", forever))).over(before)
    marked = rows.withColumn("_held_until", held_until)
    overlaps = F.max(stands & F.coalesce(F.col("valid_from") < F.col("_held_until"), F.lit(False)))
    outcome = F.when(
        overlaps.over(Window.partitionBy("number_id")),
        F.when(F.col(STORED), KEPT).otherwise(F.when(stands, OVERLAP).otherwise(F.col(OUTCOME))),
    ).otherwise(F.col(OUTCOME))
    return marked.withColumn(OUTCOME, outcome).drop("_held_until")
