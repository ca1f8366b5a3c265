"""Visits as stitching takes and gives them: dicts to Arrow and back, and pipe tables for specs.

Times are Asia/Shanghai, `3 23:50:00` is 23:50 on 3 March 2025; `-` is null.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import pyarrow as pa

from tests.oracles.slow_identity import Decision, Visit
from tests.oracles.visit_tables import DEFAULT, instant
from visitgrain.catalogue.visit_rules import Identity
from visitgrain.tables.vocabulary import CHANNELS
from visitgrain.visits.identity import stitched

VISITS = pa.schema(
    {
        "visit_id": pa.int64(),
        "device": pa.int64(),
        "channel": pa.int8(),
        "t": pa.int64(),
        "end": pa.int64(),
        "logout": pa.bool_(),
        "subscriber": pa.int64(),
        "login_t": pa.int64(),
        "login_event_id": pa.string(),
    }
)
NUMBERS = pa.schema(
    {"number_id": pa.int64(), "valid_from": pa.date32(), "valid_to": pa.date32(), "subscriber_id": pa.int64()}
)
DECIDED = ("subscriber", "method", "login_event_id", "login_t")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def visits_table(visits: list[Visit]) -> pa.Table:
    return pa.Table.from_pylist(visits, schema=VISITS)


def numbers_table(numbers: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(numbers, schema=NUMBERS)


def decisions(stitched: pa.Table) -> dict[int, Decision]:
    """What was decided of each visit, every visit once."""
    ids = stitched["visit_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    return dict(zip(ids, zip(*(stitched[name].to_pylist() for name in DECIDED), strict=True), strict=True))


def logins_table(logins: Iterable[tuple[int, int]]) -> pa.Table:
    """Device and time of logins that were taken back."""
    rows = [{"device": device, "t": t} for device, t in sorted(logins)]
    return pa.Table.from_pylist(rows, schema=pa.schema({"device": pa.int64(), "t": pa.int64()}))


def stitch(visits: pa.Table, taken_back: Iterable[tuple[int, int]] = (), **changes: Any) -> list[Decision]:
    """What is decided by the shipped rules with `changes`, by visit id."""
    identity = Identity(**{**DEFAULT.identity.model_dump(), **changes})
    found = decisions(stitched(visits, identity, logins_table(taken_back)))
    return [found[visit] for visit in sorted(found)]


def decided(text: str, **settings: Any) -> list[Decision]:
    """(subscriber, method, login event, login time) of each line of a pipe table."""
    return stitch(visits_table(visits_of(text)), **settings)


def whose(text: str, **settings: Any) -> list[int | None]:
    """The subscriber of each line."""
    return [subscriber for subscriber, *_ in decided(text, **settings)]


def visits_of(text: str) -> list[Visit]:
    """Rows of a pipe table `[device |] [channel |] start | end [| ends by] [| subscriber | login]`.

    Visits have the ids 1, 2, 3, ...; their logins are the events a, b, c, ...
    """
    header, *rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return [_visit(dict(zip(header, row, strict=True)), number) for number, row in enumerate(rows)]


def numbers_of(text: str) -> list[dict[str, Any]]:
    """Rows of a pipe table `number | from | to | subscriber`, days of March 2025."""
    _, *rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return [
        {
            "number_id": int(number),
            "valid_from": date(2025, 3, int(since)),
            "valid_to": None if until == "-" else date(2025, 3, int(until)),
            "subscriber_id": int(subscriber),
        }
        for number, since, until, subscriber in rows
    ]


def _visit(cells: dict[str, str], number: int) -> Visit:
    subscriber, login = (cells.get(name, "-") for name in ("subscriber", "login"))
    assert (subscriber == "-") == (login == "-"), "a named visit has a login, an anonymous one has none"
    return {
        "visit_id": number + 1,
        "device": int(cells.get("device", "1")),
        "channel": CHANNELS.index(cells.get("channel", "app")),
        "t": instant(cells["start"]),
        "end": instant(cells["end"]),
        "logout": cells.get("ends by", "-") == "logout",
        "subscriber": None if subscriber == "-" else int(subscriber),
        "login_t": None if login == "-" else instant(login),
        "login_event_id": None if login == "-" else LETTERS[number],
    }
