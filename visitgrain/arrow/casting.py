"""Columns in other types and forms."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

INSTANT = pa.timestamp("us", tz="UTC")
ARROW = {  # by name of the Spark SQL type
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": INSTANT,
    "map<string,string>": pa.map_(pa.string(), pa.string()),
}

NARROWER = (pa.int8(), pa.int16(), pa.int32())


def as_types(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of `schema` in its types. Texts that come as a dictionary and a code per row stay so.

    They are hashed and written in that form, at a fraction of the cost; the file is the same.
    """
    table = table.select(schema.names)
    fields = [
        found if pa.types.is_dictionary(found.type) and pa.types.is_string(wanted.type) else wanted
        for found, wanted in zip(table.schema, schema, strict=True)
    ]
    return table.cast(pa.schema([(field.name, field.type) for field in fields]))


def by_code(coded: pa.DictionaryArray, of_value: np.ndarray, of_null: np.generic) -> np.ndarray:
    """Per row: what `of_value` has for its value, in the order of the dictionary; `of_null` where there is none."""
    return np.append(of_value, of_null)[coded.indices.fill_null(len(of_value)).to_numpy()]


def micros(instants: pa.ChunkedArray) -> pa.ChunkedArray:
    """Microseconds since 1970."""
    return instants.cast(INSTANT).cast(pa.int64())


def constant(text: str, rows: int) -> pa.DictionaryArray:
    """`text` in each of `rows` rows."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), rows), pa.array([text]))


def narrow(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Whole numbers in as few bytes as they take; anything else as it is."""
    if not pa.types.is_integer(column.type):
        return column
    found = pc.min_max(column)
    least, most = found["min"].as_py(), found["max"].as_py()
    for kind in NARROWER:
        limit = 1 << (kind.bit_width - 1)
        if least is not None and -limit <= least and most < limit and kind.bit_width < column.type.bit_width:
            return column.cast(kind)
    return column
