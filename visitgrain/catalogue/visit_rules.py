"""The rules that cut a device's events into visits. One YAML file per rule set; the settings name the one in use."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from visitgrain.catalogue.yaml_file import Strict, named_file, parse
from visitgrain.errors import suggestion
from visitgrain.tables.vocabulary import CHANNELS, EVENT_TYPES

MOST_MINUTES = 24 * 60
LOOK_AHEAD_DAYS = 30  # as far as `stitch_visits` reads


class Runaway(Strict):
    """When a visit is no person's. Such visits go to `quarantined_visits`."""

    over_cap: Literal["quarantine", "keep"]
    max_events: int = Field(gt=0)
    max_events_per_minute: int = Field(gt=0)


class SharedDevice(Strict):
    """More than `subscribers` logins of different people within `days`: a device of a shop, not of a person."""

    subscribers: int = Field(ge=1)
    days: float = Field(gt=0, le=LOOK_AHEAD_DAYS)


class Identity(Strict):
    """Who an anonymous visit belongs to: docs/adr/0012."""

    mode: Literal["time_sliced", "compat_last_login"]
    within_days: float = Field(gt=0, le=LOOK_AHEAD_DAYS)
    shared_device: SharedDevice

    @property
    def last_wins(self) -> bool:
        return self.mode == "compat_last_login"


class VisitRules(Strict):
    """`cut: timeout` ends a visit by inactivity, cap, logout and another subscriber's login.

    `cut: collector_key` takes the collector's own visit keys as they are; events without a key are filtered.
    """

    version: str
    description: str
    cut: Literal["timeout", "collector_key"]
    timeout_minutes: dict[str, float]
    cap_hours: float = Field(gt=0, le=24)  # jobs read two days around theirs
    background: tuple[str, ...]
    runaway: Runaway
    identity: Identity
    heartbeat_s: int = Field(gt=0)
    minimum_visit_s: int = Field(ge=0)
    max_received_after_start_days: float | None = Field(default=None, gt=0)

    @field_validator("timeout_minutes")
    @classmethod
    def _every_channel_once(cls, value: dict[str, float]) -> dict[str, float]:
        for name, minutes in value.items():
            if name not in CHANNELS:
                raise ValueError(
                    f"unknown channel {name!r}; allowed: {', '.join(CHANNELS)}{suggestion(name, list(CHANNELS))}"
                )
            if minutes <= 0:
                raise ValueError(f"channel {name!r}: {minutes} minutes; give a positive number")
            if minutes > MOST_MINUTES:
                raise ValueError(f"channel {name!r}: {minutes} minutes; at most {MOST_MINUTES}, a day")
        missing = [name for name in CHANNELS if name not in value]
        if missing:
            raise ValueError(f"no timeout for {', '.join(missing)}; add one line per channel")
        return value

    @model_validator(mode="after")
    def _keys_go_with_the_last_login(self) -> VisitRules:
        if self.cut == "collector_key" and not self.identity.last_wins:
            raise ValueError(
                "identity.mode: time_sliced needs visits that follow each other; with collector keys they "
                "may overlap: use compat_last_login, or cut: timeout"
            )
        return self

    @field_validator("background")
    @classmethod
    def _known_types(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in EVENT_TYPES:
                close = suggestion(name, list(EVENT_TYPES))
                raise ValueError(f"unknown event type {name!r}; allowed: {', '.join(EVENT_TYPES)}{close}")
        return value


def load_visit_rules(folder: Path, name: str) -> VisitRules:
    """The rule set `name`. Raises ConfigError with the names there are."""
    path = named_file(folder, name, setting="visit_rules")
    return parse(VisitRules, path, label=f"conf/catalogue/visit_rules/{name}.yaml")
