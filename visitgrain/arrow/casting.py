"""Types of a table, made the wanted ones."""

from __future__ import annotations

import pyarrow as pa


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


def constant(text: str, rows: int) -> pa.DictionaryArray:
    """`text` in each of `rows` rows."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int8()), rows), pa.array([text]))
