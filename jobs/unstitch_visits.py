"""Take back what a login was taken for: the visits stitched by it become anonymous again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pyspark.sql import functions as F

from visitgrain.errors import InputMissing
from visitgrain.runtime.context import Context
from visitgrain.tables.runs import UNSTITCHED
from visitgrain.tables.visiting import VISITS
from visitgrain.visits.identity import NEXT_LOGIN

NAME = "unstitch_visits"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class TakenBack:
    """How many visits, which start from `first` to `last`, the next run makes anonymous again."""

    visits: int
    first: date
    last: date


def unstitch(context: Context, *, login_event_id: str, reason: str) -> TakenBack:
    """Note that nothing is stitched by this login any more; `status` shows the touched days.

    Raises InputMissing when no visit is stitched by it, as after the run that heeded the note.
    """
    lake = context.lake
    visits = lake.read(VISITS)
    stitched = visits.where((F.col("login_event_id") == login_event_id) & (F.col("stitch_method") == NEXT_LOGIN))
    login_day = F.to_date(F.first("login_time"))  # the session's zone is the lake's
    login = (F.first("device_id"), F.unix_micros(F.first("login_time")), login_day)
    found = stitched.agg(F.count("*"), F.min("visit_date"), F.max("visit_date"), *login).first()
    if found is None or not found[0]:
        raise InputMissing(
            f"table visits: no visit is stitched by the login {login_event_id!r}; look for one with "
            f"stitch_method = '{NEXT_LOGIN}' and take its login_event_id"
        )
    count, first, last, device_id, login_us, login_date = found
    with lake.lock(UNSTITCHED):
        noted = lake.read(UNSTITCHED, (login_date, login_date), optional=True)
        if noted.where((F.col("device_id") == device_id) & (F.unix_micros("login_time") == login_us)).isEmpty():
            row = {"device_id": device_id, "login_time": EPOCH + timedelta(microseconds=login_us)}
            row |= {"login_event_id": login_event_id, "login_date": login_date, "reason": reason}
            lake.append(UNSTITCHED, [{**row, "taken_back_at": datetime.now(UTC)}], run_id=context.run_id)
    return TakenBack(count, first, last)
