"""Who visits belong to, as array code; the rules and their reasons are in docs/adr/0012.

A table of visits has visit_id, device, channel (code), t and end (start and end, microseconds), logout (it ends with
one) and, where the visit names a subscriber by itself, subscriber, login_t and login_event_id.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from visitgrain.catalogue.visit_rules import Identity, SharedDevice
from visitgrain.span import DAY_US
from visitgrain.tables.vocabulary import CHANNELS

NEXT_LOGIN, LAST_LOGIN = "next_login", "last_login"


def stitched(visits: pa.Table, identity: Identity, taken_back: pa.Table) -> pa.Table:
    """`visits` of whole devices, with `method`: how a visit got the subscriber that it does not name itself; else null.

    Such visits have the subscriber, the login and its time of the visit they owe them to. `decided_t` of an anonymous
    visit: the next login on its device, after which nothing changes whose it is. `taken_back` has device and time `t`
    of logins that nothing is stitched by. The order of rows is not kept.
    """
    rows = pl.DataFrame(pl.from_arrow(visits))
    logins = rows.filter(pl.col("subscriber").is_not_null())
    within = int(identity.within_days * DAY_US)
    if identity.last_wins:
        decided = pl.lit(None, dtype=pl.Int64).alias("decided_t")
        return _by_last_login(rows, logins, within=within).with_columns(decided).to_arrow()
    anonymous = rows.filter(pl.col("subscriber").is_null()).select("visit_id", "device", "t").sort("t")
    near = logins.join(anonymous, on="device", how="semi")
    following = _next_logins(anonymous, near)
    found = following.filter((pl.col("login_t") - pl.col("t") <= within) & (pl.col("people") == 1))
    found = _without_taken_back(found, pl.DataFrame(pl.from_arrow(taken_back)))
    found = _without_others(found, near)
    found = _without_logouts(found, rows.filter("logout"))
    found = _without_shared(found, near, identity.shared_device)
    decided = following.select("visit_id", decided_t="login_t")
    return _given(rows, found, NEXT_LOGIN).join(decided, on="visit_id", how="left").to_arrow()


def with_holders(visits: pa.Table, numbers: pa.Table, zone: str) -> pa.Table:
    """`visits` whose subscriber is the pseudonym of a number get who held it on the day they start.

    `numbers` has number_id, valid_from, valid_to, subscriber_id. A number that nobody held stays as it is.
    """
    rows = pl.DataFrame(pl.from_arrow(visits))
    start = pl.col("t").cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    by_number = rows.select("visit_id", number_id="subscriber", day=start.dt.date())
    held = by_number.join(pl.DataFrame(pl.from_arrow(numbers)), on="number_id", how="inner")
    held = held.filter(pl.col("valid_from") <= pl.col("day"))
    held = held.filter(pl.col("valid_to").is_null() | (pl.col("day") < pl.col("valid_to")))
    holder = held.sort("valid_from").unique("visit_id", keep="last").select("visit_id", holder="subscriber_id")
    rows = rows.join(holder, on="visit_id", how="left")
    return rows.with_columns(subscriber=pl.coalesce("holder", "subscriber")).drop("holder").to_arrow()


def _next_logins(anonymous: pl.DataFrame, logins: pl.DataFrame) -> pl.DataFrame:
    """The next login on the device of each, and how many `people` log in at that moment; null where there is none."""
    first = logins.sort("visit_id").group_by("device", "login_t", maintain_order=True)
    first = first.agg(pl.col("subscriber", "login_event_id", "end").first(), people=pl.col("subscriber").n_unique())
    first = first.sort("login_t").with_columns(at=pl.col("login_t"))
    by = {"left_on": "t", "right_on": "at", "by": "device"}
    found = anonymous.join_asof(first, **by, strategy="forward", check_sortedness=False)
    return found.select("visit_id", "device", "t", "subscriber", "login_t", "login_event_id", "end", "people")


def _without_taken_back(found: pl.DataFrame, taken_back: pl.DataFrame) -> pl.DataFrame:
    """Without those whose candidate's visit, from its login on, holds a time that somebody took back.

    Its first login may become an earlier one, when that comes late; the visit is the same.
    """
    noted = found.join(taken_back.rename({"t": "noted"}), on="device", how="inner")
    within = noted.filter(pl.col("noted").is_between("login_t", "end"))
    return found.join(within, on="visit_id", how="anti")


def _without_others(found: pl.DataFrame, logins: pl.DataFrame) -> pl.DataFrame:
    """Without those that begin while somebody else is active on the device.

    Later logins of somebody else come after the candidate's. Visits of one channel follow each other, so the latest
    login of each channel is the only one that can still be active.
    """
    for channel in range(len(CHANNELS)):
        active = logins.filter(pl.col("channel") == channel).sort("login_t", "end")
        active = active.select("device", at="login_t", until="end", other="subscriber")
        before = {"strategy": "backward", "allow_exact_matches": False, "check_sortedness": False}
        found = found.join_asof(active, left_on="t", right_on="at", by="device", **before)
        disturbed = (pl.col("until") >= pl.col("t")) & (pl.col("other") != pl.col("subscriber"))
        found = found.filter(~disturbed.fill_null(value=False)).drop("at", "until", "other", strict=False)
    return found


def _without_logouts(found: pl.DataFrame, logouts: pl.DataFrame) -> pl.DataFrame:
    """Without those that a logout lies between them and the login."""
    ends = logouts.select("device", at="end", logged_out="end").sort("at")
    found = found.join_asof(ends, left_on="t", right_on="at", by="device", strategy="forward", check_sortedness=False)
    free = pl.col("logged_out").is_null() | (pl.col("logged_out") >= pl.col("login_t"))
    return found.filter(free).drop("at", "logged_out", strict=False)


def _without_shared(found: pl.DataFrame, logins: pl.DataFrame, shared: SharedDevice) -> pl.DataFrame:
    """Without those that a login claims on a device which too many people have logged in on up to then."""
    people = logins.group_by("device").agg(people=pl.col("subscriber").n_unique())
    busy = people.filter(pl.col("people") > shared.subscribers).select("device")
    named = logins.join(busy, on="device", how="semi").sort("device", "login_t")
    if named.is_empty():
        return found
    days = f"{int(shared.days * DAY_US)}i"
    lately = named.rolling("login_t", period=days, offset=f"-{days}", closed="both", group_by="device")
    crowds = lately.agg(people=pl.col("subscriber").n_unique()).filter(pl.col("people") > shared.subscribers)
    return found.join(crowds, on=["device", "login_t"], how="anti")


def _by_last_login(rows: pl.DataFrame, logins: pl.DataFrame, *, within: int) -> pl.DataFrame:
    """The latest login on the device at most `within` microseconds before or after the start of each visit."""
    last = logins.sort("login_t", "visit_id").unique(("device", "login_t"), keep="last", maintain_order=True)
    owed = last.select("device", "subscriber", "login_t", "login_event_id", at="login_t")
    asked = rows.select("visit_id", "device", "t", until=pl.col("t") + within).sort("until")
    found = asked.join_asof(
        owed, left_on="until", right_on="at", by="device", strategy="backward", check_sortedness=False
    )
    return _given(rows, found.filter(pl.col("login_t") >= pl.col("t") - within), LAST_LOGIN)


def _given(rows: pl.DataFrame, found: pl.DataFrame, method: str) -> pl.DataFrame:
    """`rows` with what was `found` for some of them."""
    names = ("subscriber", "login_t", "login_event_id")
    given = found.select("visit_id", method=pl.lit(method), **{f"found_{name}": pl.col(name) for name in names})
    rows = rows.join(given, on="visit_id", how="left")
    return rows.with_columns(pl.coalesce(f"found_{name}", name).alias(name) for name in names).select(
        pl.exclude(*(f"found_{name}" for name in names))
    )
