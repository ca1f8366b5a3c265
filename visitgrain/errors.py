"""The errors a user can meet. Each class has one exit code; each message names place, finding, allowed and fix."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A Chinese mobile number, with or without country code and the usual separators, not inside of a longer number.
PHONE = re.compile(r"(?<![0-9A-Za-z])(?:(?:\+|00)?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9A-Za-z])")
MASK = "1**********"


def masked(text: str) -> str:
    """`text` without phone numbers: they may not reach a message, a log or a ledger."""
    return PHONE.sub(MASK, text)


MOST_TOLD = 5  # problems in a message


def some_of(problems: Sequence[str]) -> str:
    """The first ones, and how many more there are."""
    more = f"; and {len(problems) - MOST_TOLD} more" if len(problems) > MOST_TOLD else ""
    return "; ".join(problems[:MOST_TOLD]) + more


class VisitgrainError(Exception):
    """A failure with one clear message for the user; `exit_code` is what the process returns."""

    exit_code = 6

    def __str__(self) -> str:
        return masked(super().__str__())


class UsageError(VisitgrainError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2


class ConfigError(VisitgrainError):
    """A YAML file, a setting or an expression is invalid. All problems of a file come in one message."""

    exit_code = 3


class InputMissing(VisitgrainError):
    """A table, a date or a file that a job reads is not there (yet)."""

    exit_code = 4


class GateRefused(VisitgrainError):
    """A schema contract, a damaged input, a protocol guard or the conservation law refuses the run."""

    exit_code = 5


class JobFailed(VisitgrainError):
    """A job stopped while it ran; nothing of it was published."""

    exit_code = 6


class Locked(VisitgrainError):
    """Another run writes the same table, or a write conflict outlived its retries."""

    exit_code = 7


class ServiceLevelBroken(VisitgrainError):
    """A table is not complete when it was promised to be."""

    exit_code = 8


def suggestion(name: str, allowed: list[str]) -> str:
    """'; did you mean 'x'?' for the closest allowed name, else ''."""
    from difflib import get_close_matches

    close = get_close_matches(name, allowed, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
