"""Columns of maps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def numbers_by_key(column: pa.ChunkedArray, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Value of each of `keys` per row, 0 where the map or the key is missing.

    One pass over the entries of all maps: a look-up per key takes ten times as long.
    """
    maps = column.combine_chunks()
    if isinstance(maps, pa.ChunkedArray):  # no chunk at all
        return {key: np.zeros(len(column)) for key in keys}
    offsets = maps.offsets.to_numpy()
    entries = slice(int(offsets[0]), int(offsets[-1]))
    coded = maps.keys[entries].dictionary_encode()
    values = pc.fill_null(maps.items[entries], 0).to_numpy()
    row, code = np.repeat(np.arange(len(maps)), np.diff(offsets)), coded.indices.to_numpy()
    found = {}
    for key in keys:
        found[key] = np.zeros(len(maps), values.dtype)
        position = coded.dictionary.index(key).as_py()
        if position >= 0:
            is_key = code == position
            found[key][row[is_key]] = values[is_key]
    return found
