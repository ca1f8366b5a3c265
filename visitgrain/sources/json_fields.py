"""A JSON object as the text of its fields. Numbers stay as written; nested values are JSON again."""

from __future__ import annotations

import json
from contextlib import suppress

from visitgrain.sources.fields import Fields, Wanted

MAX_FIELDS = 1_000  # keys of an object
MAX_DEPTH = 100  # of its nesting


def json_fields(text: str, wanted: Wanted, nulls: frozenset[str]) -> Fields | str:
    try:
        found = _loads(text)
    except _Unreadable as error:
        return error.reason
    fields = [_json_text(found.get(name)) for name in wanted.names]
    others = {name: _json_text(found[name]) for name in wanted.rescued(found)}
    if "\\u" in text and any(field and not _encodable(field) for field in [*fields, *others, *others.values()]):
        return "encoding"
    rescued = {name: value for name, value in others.items() if value is not None and value not in nulls}
    return [*(None if field in nulls else field for field in fields), rescued or None]


class _Unreadable(Exception):
    """A record that is no JSON object; `reason` as in quarantine."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _loads(text: str) -> dict[str, object]:
    """The JSON object with numbers as written."""
    try:
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=_refuse)
    except RecursionError:
        raise _Unreadable("size") from None
    except ValueError:
        raise _Unreadable("json") from None
    if not isinstance(found, dict):
        raise _Unreadable("json")
    if len(found) > MAX_FIELDS or (text.count("{") + text.count("[") > MAX_DEPTH and _depth(found) > MAX_DEPTH):
        raise _Unreadable("size")
    return found


def _depth(value: object) -> int:
    """Levels of nesting, without recursion."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def json_keys(texts: list[str]) -> list[str]:
    """All keys of the objects among `texts`, in order of appearance."""
    keys: dict[str, None] = {}
    for text in texts:
        with suppress(_Unreadable):
            keys.update(dict.fromkeys(_loads(text)))
    return list(keys)


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _json_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def _encodable(text: str) -> bool:
    """False for half of a surrogate pair, which no table can hold, and for NUL."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
