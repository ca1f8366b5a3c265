"""Which version is champion: made so by the gate or by hand, rolled back, and who did it why.

The registered model's tag `champions` holds the versions in the order in which they became champion; the last one is
champion now. Each move leaves a tag `champion.TIME` or `retired.TIME` on the versions: they are added, never changed.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from visitgrain.churn.tracking import CHAMPION, MODEL, files_of, version_with
from visitgrain.errors import InputMissing, UsageError

if TYPE_CHECKING:
    from mlflow import MlflowClient

HISTORY = "champions"
JOURNAL = ("champion.", "retired.")
LONGEST = 2_000  # characters of a reason


class Version(NamedTuple):
    """A version as the registry knows it. `tags`: learner, month, auc, promoted, why, and the journal."""

    number: int
    aliases: tuple[str, ...]
    tags: dict[str, str]
    note: str
    run_id: str

    @property
    def journal(self) -> list[str]:
        """What became of it, oldest first: 'TIME champion by …'."""
        moves = (
            (tag.removeprefix(kind), kind[:-1], text)
            for tag, text in self.tags.items()
            for kind in JOURNAL
            if tag.startswith(kind)
        )
        return [f"{when} {kind} {text}" for when, kind, text in sorted(moves)]


def versions(client: MlflowClient, name: str = MODEL) -> list[Version]:
    """All of them, newest first; none where nothing was registered yet."""
    found = client.search_model_versions(f"name = '{name}'")
    holders: dict[int, list[str]] = {}
    if found:
        for alias, number in client.get_registered_model(name).aliases.items():
            holders.setdefault(int(number), []).append(alias)
    known = [
        Version(number, tuple(sorted(holders.get(number, ()))), dict(one.tags), one.description or "", one.run_id or "")
        for number, one in ((int(one.version), one) for one in found)
    ]
    return sorted(known, reverse=True)


def version(client: MlflowClient, number: int, name: str = MODEL) -> Version:
    """Raises UsageError with those there are."""
    known = versions(client, name)
    for one in known:
        if one.number == number:
            return one
    there = ", ".join(str(one.number) for one in reversed(known)) or "none"
    raise UsageError(f"model {name} has no version {number}; there are {there}")


def champions(client: MlflowClient, name: str = MODEL) -> list[int]:
    """Versions in the order in which they became champion, the current one last; deleted ones are left out.

    An alias that was moved elsewhere, e.g. in MLflow's pages, counts as the latest move.
    """
    known = {one.number for one in versions(client, name)}
    if not known:
        return []
    told = client.get_registered_model(name).tags.get(HISTORY, "")
    history = [int(number) for number in told.split() if int(number) in known]
    current = version_with(client, CHAMPION, name)
    return history if current is None or history[-1:] == [int(current)] else [*history, int(current)]


def promote(client: MlflowClient, number: int, *, reason: str, by: str, name: str = MODEL) -> None:
    """Make a version champion. Raises UsageError for an unknown one or no reason, GateRefused for unreadable files."""
    version(client, number, name)
    history = champions(client, name)
    if _current(client, name) == number:
        raise UsageError(f"version {number} is champion already")
    _move(client, name, number, [*history, number], f"by {by}: {reason}", reason)


def rollback(client: MlflowClient, to: int | None = None, *, reason: str, by: str, name: str = MODEL) -> int:
    """Make the champion before this one, or version `to`, champion again; its number. Twice goes two steps back.

    Raises UsageError for an unknown version or no reason, InputMissing where nothing was champion before.
    """
    history, current = champions(client, name), _current(client, name)
    if to is not None:
        version(client, to, name)
        last = max((place for place, number in enumerate(history) if number == to), default=len(history))
        before = history[:last]
    else:
        earlier = [place for place, number in enumerate(history) if number != current]
        if not earlier:
            raise InputMissing(f"no version of model {name} was champion before; `visitgrain models list` has them all")
        to, before = history[earlier[-1]], history[: earlier[-1]]
    if to == current:
        raise UsageError(f"version {to} is champion already")
    _move(client, name, to, [*before, to], f"by {by}, rolled back from {current or 'none'}: {reason}", reason)
    return to


def _current(client: MlflowClient, name: str) -> int | None:
    found = version_with(client, CHAMPION, name)
    return None if found is None else int(found)


def _move(client: MlflowClient, name: str, number: int, history: list[int], words: str, reason: str) -> None:
    """The alias first: `champions` takes it for the truth where what follows fails."""
    if not reason.strip():
        raise UsageError("a reason is needed: it stays with the version")
    former = _current(client, name)
    with files_of(client, str(number), name):  # what cannot be read never scores
        pass
    when = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    client.set_registered_model_alias(name, CHAMPION, str(number))
    client.set_registered_model_tag(name, HISTORY, " ".join(map(str, history)))
    client.set_model_version_tag(name, str(number), f"champion.{when}", words[:LONGEST])
    if former is not None:
        client.set_model_version_tag(name, str(former), f"retired.{when}", f"for {number} {words}"[:LONGEST])
