"""Why visits leave an event out, where its mapping does not say: user agents of robots, lists of staff and devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, functions as F

from visitgrain.catalogue.exclusions import ExclusionRules, IdList
from visitgrain.errors import ConfigError
from visitgrain.expressions.keyed_hash import subscriber_id

USER_AGENT = "user_agent"  # key of props


@dataclass(frozen=True)
class Exclusions:
    """`patterns`: reason -> regular expression; `listed`: column -> a frame of its ids (`_id`) with `_why`."""

    patterns: Mapping[str, str] = field(default_factory=dict)
    listed: Mapping[str, DataFrame] = field(default_factory=dict)

    def noted(self, events: DataFrame) -> DataFrame:
        """The events with `exclusion`: what the mapping says, else what a list says, else what the user agent tells."""
        reasons: list[Column] = [F.col("exclusion")]
        for column, ids in self.listed.items():
            named = ids.select(F.col("_id").alias(column), F.col("_why").alias(f"_why_{column}"))
            events = events.join(F.broadcast(named), on=column, how="left")
            reasons.append(F.col(f"_why_{column}"))
        agent = F.try_element_at("props", F.lit(USER_AGENT))
        reasons += [F.when(agent.rlike(pattern), reason) for reason, pattern in self.patterns.items()]
        noted = events.withColumn("exclusion", F.coalesce(*reasons))
        return noted.drop(*(f"_why_{column}" for column in self.listed))


def exclusions_of(rules: ExclusionRules, spark: SparkSession, key: Callable[[], bytes]) -> Exclusions:
    """The rules, their lists read. `key` is asked for only where a list holds numbers. Raises ConfigError."""
    ids: dict[str, dict[str | int, str]] = {}
    for part in rules.lists:
        of_column = ids.setdefault(part.column, {})
        for value in _values(part, key):
            of_column.setdefault(value, part.reason)
    types = {"subscriber_id": "bigint", "device_id": "string"}
    frames = {
        column: spark.createDataFrame(list(found.items()), f"_id {types[column]}, _why string")
        for column, found in ids.items()
        if found
    }
    return Exclusions({reason: rules.pattern(reason) for reason in rules.user_agents}, frames)


def _values(part: IdList, key: Callable[[], bytes]) -> list[str | int]:
    try:
        lines = [line.strip() for line in Path(part.file).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"conf/catalogue/exclusions.yaml: list of {part.reason!r}: {part.file}: {type(error).__name__}; "
            "it must be a text file with one id per line"
        ) from None
    numbered = [(place, line) for place, line in enumerate(lines, 1) if line and not line.startswith("#")]
    given = [line for _, line in numbered]
    if part.column == "device_id":
        return list(given)
    if part.holds == "numbers":
        return [subscriber_id(key(), line) for line in given]
    wrong = [place for place, line in numbered if not (line.isascii() and line.isdigit())]
    if wrong:
        raise ConfigError(f"{part.file}:{wrong[0]}: no subscriber id; `holds: ids` means whole numbers, one per line")
    return [int(line) for line in given]
