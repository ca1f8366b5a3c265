"""Which fields of a record are taken: the wanted ones by name, and those that nobody knows to be rescued."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

MAX_FIELD = 1 << 16  # bytes of UTF-8; a record with a longer field is refused with reason `size`

Rescued = dict[str, str]
Fields = Sequence["str | Rescued | None"]  # the wanted fields and, last, the rescued ones


@dataclass(frozen=True)
class Wanted:
    """The fields to take by name. All others that are neither `known` nor `ignored` (globs) are rescued.

    `known` None = nothing is rescued. A text's groups never are: whoever wrote the pattern named them.
    """

    names: tuple[str, ...]
    known: frozenset[str] | None = None
    ignored: tuple[str, ...] = ()

    def rescued(self, names: Iterable[str]) -> list[str]:
        if self.known is None:
            return []
        unknown = [name for name in names if name not in self.known]
        return [name for name in unknown if not is_ignored(name, self.ignored)]


@lru_cache(maxsize=10_000)
def is_ignored(name: str, ignored: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob) for glob in ignored)
