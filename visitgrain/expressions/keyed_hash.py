"""Pseudonyms: keyed hashes of identities, computed per distinct value of an Arrow batch.

The key reaches the workers inside the function only: never a Spark setting, a column or a log.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import Column, functions as F

DEVICE_PREFIX = b"device\0"  # keeps device ids apart from subscriber ids of the same text


def subscriber_id(key: bytes, identity: str) -> int:
    """63 leading bits of HMAC-SHA-256(key, identity): fits a signed 64-bit integer."""
    return int.from_bytes(hmac.digest(key, identity.encode(), "sha256")[:8], "big") >> 1


def device_id(key: bytes, identity: str) -> str:
    """64 bits of a keyed hash, as 16 hexadecimal digits."""
    return hmac.digest(key, DEVICE_PREFIX + identity.encode(), "sha256")[:8].hex()


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
