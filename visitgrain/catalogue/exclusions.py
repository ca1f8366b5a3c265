"""Bots, monitors, staff and test devices: the model of conf/catalogue/exclusions.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from visitgrain.catalogue.source_functions import MAX_PATTERN
from visitgrain.catalogue.yaml_file import Strict, parse

Reason = str
_REASON = r"^[a-z][a-z0-9_]*$"


class IdList(Strict):
    """Ids of `column`, one per line of `file`, that are left out for `reason`."""

    reason: Reason = Field(pattern=_REASON)
    column: Literal["subscriber_id", "device_id"]
    holds: Literal["ids", "numbers"]
    file: str

    @model_validator(mode="after")
    def _numbers_are_subscribers(self) -> IdList:
        if self.holds == "numbers" and self.column != "subscriber_id":
            raise ValueError(f"{self.file}: only subscribers have numbers; write `holds: ids`")
        return self


class ExclusionRules(Strict):
    """`user_agents`: reason -> regular expressions of user agents, searched without regard to capitals."""

    version: str
    description: str
    user_agents: dict[Reason, tuple[str, ...]]
    lists: tuple[IdList, ...]

    @field_validator("user_agents")
    @classmethod
    def _patterns_compile(cls, value: dict[Reason, tuple[str, ...]]) -> dict[Reason, tuple[str, ...]]:
        for reason, patterns in value.items():
            if not re.match(_REASON, reason):
                raise ValueError(f"{reason!r} is no reason; write small letters, digits and _")
            if not patterns:
                raise ValueError(f"{reason}: no pattern; leave the reason out")
            for pattern in patterns:
                _check(reason, pattern)
        return value

    def pattern(self, reason: Reason) -> str:
        """One regular expression for all patterns of the reason."""
        return "(?i)" + "|".join(f"(?:{pattern})" for pattern in self.user_agents[reason])


def _check(reason: str, pattern: str) -> None:
    try:
        matches_all = re.compile(pattern).search("") is not None
    except re.error as error:
        raise ValueError(f"{reason}: {pattern!r} is no regular expression: {error}") from None
    if matches_all or len(pattern) > MAX_PATTERN:
        raise ValueError(f"{reason}: {pattern!r} fits every user agent or has over {MAX_PATTERN} characters")


def load_exclusions(conf: Path) -> ExclusionRules:
    """conf/catalogue/exclusions.yaml. Raises ConfigError."""
    return parse(ExclusionRules, conf / "catalogue" / "exclusions.yaml", label="conf/catalogue/exclusions.yaml")
