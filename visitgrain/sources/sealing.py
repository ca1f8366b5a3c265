"""Phone numbers in rows kept as they came are sealed: whoever has the key of the pseudonyms can open them again.

A refused row must be replayed bit for bit, so a number in it cannot be cut out; it is encrypted where it stands. The
encryption is deterministic (AES-SIV): the same row is the same content whenever it is written.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from re import Match

import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from pyspark.sql import Column, functions as F

# Wider than what a message is searched for: wrong numbers with a digit too many hold a right one.
NUMBER = re.compile(r"[0-9]*1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}[0-9]*")
_SEALED = re.compile(r"<sealed:([A-Za-z0-9_=-]+)>")


def sealed(key: bytes, text: str) -> str:
    """`text` with each phone number encrypted."""
    cipher = _cipher(key)
    return NUMBER.sub(lambda found: _token(cipher, found[0]), text)


def opened(key: bytes, text: str) -> str:
    """`text` as it was; what was sealed with another key stays sealed."""
    cipher = _cipher(key)
    return _SEALED.sub(lambda found: _number(cipher, found), text)


def on_column(function: Callable[[bytes, str], str], key: bytes) -> Callable[[Column], Column]:
    """`sealed` or `opened` of a column of texts."""

    def batch(texts: pa.Array) -> pa.Array:
        return pa.array([None if text is None else function(key, text) for text in texts.to_pylist()], pa.string())

    return F.arrow_udf(batch, returnType="string")


def _cipher(key: bytes) -> AESSIV:
    return AESSIV(hmac.digest(key, b"seal", "sha512"))


def _token(cipher: AESSIV, number: str) -> str:
    return f"<sealed:{urlsafe_b64encode(cipher.encrypt(number.encode(), None)).decode()}>"


def _number(cipher: AESSIV, found: Match[str]) -> str:
    try:
        return cipher.decrypt(urlsafe_b64decode(found[1]), None).decode()
    except (InvalidTag, Error, ValueError):
        return found[0]
