"""Pseudonyms: keyed hashes of identities, computed per distinct value of an Arrow batch.

The key reaches the workers inside the function only: never a Spark setting, a column or a log.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, functions as F

Days = tuple[date | None, date | None]  # the first, and the first after the last; None = open
DEVICE_PREFIX = b"device\0"  # keeps device ids apart from subscriber ids of the same text


def subscriber_id(key: bytes, identity: str) -> int:
    """63 leading bits of HMAC-SHA-256(key, identity): fits a signed 64-bit integer."""
    return int.from_bytes(hmac.digest(key, identity.encode(), "sha256")[:8], "big") >> 1


def device_id(key: bytes, identity: str) -> str:
    """64 bits of a keyed hash, as 16 hexadecimal digits."""
    return hmac.digest(key, DEVICE_PREFIX + identity.encode(), "sha256")[:8].hex()


def tombstone(key: bytes, identity: int | str) -> str:
    """128 bits of a keyed hash of a pseudonym or a device id: finds somebody erased again, and tells nobody who."""
    return hmac.digest(key, f"erased\0{identity}".encode(), "sha256")[:16].hex()


def erased(key: bytes, tombstones: Mapping[str, Sequence[Days]]) -> Callable[[Column, Column], Column]:
    """Columns of identities and of local days -> does the identity stand for somebody erased on that day?

    `tombstones`: the days of each.
    """

    def batch(identities: pa.Array, days: pa.Array) -> pa.Array:
        coded = identities.dictionary_encode()
        found = pa.repeat(pa.scalar(False), len(identities))
        for code, identity in enumerate(coded.dictionary.to_pylist()):
            for first, until in tombstones.get(tombstone(key, identity), ()):
                mask = pc.equal(coded.indices, code)
                if first is not None:
                    mask = pc.and_(mask, pc.greater_equal(days, first))
                if until is not None:
                    mask = pc.and_(mask, pc.less(days, until))
                found = pc.or_(found, pc.fill_null(mask, False))
        return found

    return F.arrow_udf(batch, returnType="boolean")


def subscriber_ids(key: bytes) -> Callable[[Column], Column]:
    """Column of identities -> column of subscriber ids (bigint)."""

    def batch(identities: pa.Array) -> pa.Array:
        coded = identities.dictionary_encode()
        ids = [subscriber_id(key, text) for text in coded.dictionary.to_pylist()]
        return pa.array(ids, pa.int64()).take(coded.indices)

    return F.arrow_udf(batch, returnType="bigint")


def device_ids(key: bytes) -> Callable[[Column], Column]:
    """Column of identities -> column of device ids (string)."""

    def batch(identities: pa.Array) -> pa.Array:
        coded = identities.dictionary_encode()
        ids = [device_id(key, text) for text in coded.dictionary.to_pylist()]
        return pa.array(ids, pa.string()).take(coded.indices)

    return F.arrow_udf(batch, returnType="string")
