"""subscriber_state: rolled forward from month end to month end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from visitgrain.arrow.rows import ArrowRows, TableFiles
from visitgrain.metrics import date_sets, sources
from visitgrain.metrics.bucket import Bucket
from visitgrain.metrics.sources import Files, Sent
from visitgrain.metrics.states import FIRST, FIRST_ORDER, LAST, NEVER, NOT_YET, SETS
from visitgrain.span import Span, month_end_before
from visitgrain.tables.measuring import SUBSCRIBER_STATE


def roll_states(*, before: TableFiles, subscriber_days: TableFiles, spec: None, span: Span) -> ArrowRows:
    """One row per subscriber of the state before or with a measured day in the month."""
    of_days = Sent.same(sources.DAYS, [sources.SUBJECT, "day", *SETS, FIRST_ORDER], span.days())
    of_states = Sent.same(sources.STATES, SUBSCRIBER_STATE.column_names, [month_end_before(span.start)])
    rows = sources.bucketed([Files(subscriber_days, of_days), Files(before, of_states)])
    return ArrowRows(rows, partial(_rolled, span=span))


def _rolled(batches: Iterable[pa.RecordBatch], *, span: Span) -> Iterator[pa.Table]:
    bucket = Bucket(batches)
    state = bucket.state(span.end)
    rows = np.flatnonzero(state.present)
    columns = {
        "subscriber_id": pa.array(bucket.ids[rows]),
        "as_of": pa.repeat(pa.scalar(span.end), len(rows)),
        **{name: _lists(words[rows]) for name, words in state.sets.items()},
        **{name: _or_null(values[rows], NEVER) for name, values in state.firsts.items()},
        **{name: _or_null(values[rows], NOT_YET) for name, values in state.lasts.items()},
    }
    dates = {name: columns[name].cast(pa.int32()).cast(pa.date32()) for name in (*FIRST, *LAST)}
    yield pa.table({name: (columns | dates)[name] for name in SUBSCRIBER_STATE.column_names})


def _lists(words: NDArray[np.uint64]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(words.view(np.int64).ravel(), date_sets.WORDS).cast(pa.list_(pa.int64()))


def _or_null(values: NDArray[np.int64], null: int) -> pa.Array:
    return pa.array(values, mask=values == null)
