"""Measures: mergeable aggregates of one day, per subscriber. One YAML file per source; `when` and `value` are
expressions of the language of source mappings over the columns that the source offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from visitgrain.catalogue.expression import parse as parse_expression
from visitgrain.catalogue.expression_tree import Dialect, Node, Scalar
from visitgrain.catalogue.metric_language import Kind, MeasureKind
from visitgrain.catalogue.source_functions import FUNCTIONS
from visitgrain.catalogue.yaml_file import Strict, parse_each
from visitgrain.errors import ConfigError
from visitgrain.tables.vocabulary import (
    ACTION_TYPES,
    ACTIVE_TYPES,
    BUSINESSES,
    CHANNELS,
    ENTRY_SOURCES,
    EVENT_TYPES,
    IN_SERVICE,
    SUBSCRIBER_STATUSES,
)

SNAPSHOTS = "subscriber_month"
KEYS: dict[str, tuple[Scalar, ...]] = {
    "event_type": EVENT_TYPES,
    "hour": tuple(range(24)),
    "weekday": tuple(range(1, 8)),
    "channel": CHANNELS,
    "entry_source": ENTRY_SOURCES,
    "source": ("organic", "ad", "share", "sms", "outlet", "qr", "partner", "other"),
    "business": BUSINESSES,
    "rating": tuple(range(1, 6)),
    "nps": tuple(range(11)),
    "arm": ("treatment", "control"),
    "move": ("up", "down", "same"),
}
SETS: dict[str, tuple[Scalar, ...]] = {
    "ACTIVE": ACTIVE_TYPES,
    "ACTION": ACTION_TYPES,
    "ECHANNEL": CHANNELS,
    "COMPLETED": ("paid", "fulfilled", "cancelled"),  # an order cancelled later was still sold
    "GONE": tuple(status for status in SUBSCRIBER_STATUSES if status not in IN_SERVICE),
}
Aggregate = Literal[
    "count",
    "sum",
    "count_by",
    "sum_by",
    "days",  # local days on which it holds: 0 or 1 a day
    "days_by",
    "date_set",
    "min_date",
    "max_date",
    "first_by",  # the key of the first row ever, counted in the window in which it falls
    "sketch",  # counts per bucket ceil(ln(x) / ln(1.1)): quantiles within 5 %
    "last",  # of the latest snapshot
]
KINDS: dict[str, Kind] = {
    **dict.fromkeys(("count", "sum", "days", "last"), "num"),
    **dict.fromkeys(("count_by", "sum_by", "days_by", "first_by"), "vector"),
    **dict.fromkeys(("min_date", "max_date"), "date"),
    "date_set": "set",
    "sketch": "sketch",
}
SKETCH_BASE = 1.1  # buckets of sketches are 10 % wide: a quantile is at most that much above the true one
DATED_SNAPSHOTS = ("contract_end", "broadband_expiry")  # columns of a snapshot that are dates


def _expression(text: str) -> str:
    parse_expression(text, Dialect(FUNCTIONS, sets={**SETS, "CORE": ("",)}))
    return text


Expression = Annotated[str, AfterValidator(_expression)]


class Measure(Strict):
    """One measure. `slices` are attributes of its rows by which it may be told apart."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    no: int
    zh: str
    en: str
    source: str = ""  # that of the file
    agg: Aggregate
    value: Expression | None = None
    when: Expression | None = None
    by: str | None = None
    subject: Literal["subscriber", "nobody", "sharer"] = "subscriber"
    date: Literal["day", "cancel_time"] = "day"
    slices: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Measure:
        if self.agg.endswith("_by") != (self.by is not None):
            raise ValueError(f"agg {self.agg!r} and by: {self.by!r} do not fit; `by` goes with *_by, and only there")
        if self.by is not None and self.by not in KEYS:
            raise ValueError(f"by: {self.by!r} is no list of keys; known: {', '.join(KEYS)}")
        if (self.agg in ("sum", "sum_by", "sketch", "last")) != (self.value is not None):
            raise ValueError(f"agg {self.agg!r}: value is {'missing' if self.value is None else 'not used'}")
        return self

    @property
    def keys(self) -> tuple[Scalar, ...]:
        return KEYS[self.by] if self.by else ()

    @property
    def kind(self) -> MeasureKind:
        dated = self.agg == "last" and self.value in DATED_SNAPSHOTS
        return MeasureKind("date" if dated else KINDS[self.agg], self.keys, self.agg == "last", self.agg == "max_date")

    def column(self, key: Scalar | None = None) -> str:
        """Column of its value, or of one of its keys."""
        return self.id if key is None else f"{self.id}__{key}"


class MeasureFile(Strict):
    """The measures of one source. `slices` hold for those that name none."""

    source: Literal["visits", "events", "orders", "campaign_results", "campaign_exposures", "subscriber_month"]
    description: str
    slices: tuple[str, ...]
    measures: tuple[Measure, ...]

    def completed(self) -> Iterator[Measure]:
        for measure in self.measures:
            slices = self.slices if measure.slices is None else measure.slices
            yield measure.model_copy(update={"source": self.source, "slices": slices})


class DayColumn(NamedTuple):
    """A column of `subscriber_days`."""

    name: str
    type: str
    meaning: str


def day_columns(measure: Measure) -> Iterator[DayColumn]:
    """How a day of the measure is stored. Snapshots have no day."""
    match measure.agg:
        case "last":
            return
        case "sketch":
            yield DayColumn(measure.id, "map<int,bigint>", f"{measure.en}: count per bucket ceil(ln(x) / ln(1.1))")
            yield DayColumn(f"{measure.id}__n", "bigint", f"{measure.en}: observations")
        case "first_by":
            yield DayColumn(measure.id, "bigint", f"{measure.en}: first of the day, microseconds * 64 + key")
        case "days" | "date_set" | "min_date" | "max_date":
            yield DayColumn(measure.id, "int", f"{measure.en}: 1 = this day counts")
        case "count" | "sum":
            yield DayColumn(measure.id, day_type(measure), measure.en)
        case _:
            for key in measure.keys:
                yield DayColumn(measure.column(key), day_type(measure), f"{measure.en}: {measure.by} {key}")


def day_type(measure: Measure) -> str:
    """Money and counts are whole; sums of visits' scores and gaps are not."""
    return (
        "double" if measure.agg == "sum" and measure.source == "visits" and measure.value != "duration_s" else "bigint"
    )


def load_measures(folder: Path) -> dict[str, Measure]:
    """Every measure by id, in order of its number. Raises ConfigError with all problems of all files."""
    found: dict[str, Measure] = {}
    problems: list[str] = []
    paths, place = sorted(folder.glob("*.yaml")), "conf/catalogue/measures"
    for stem, (file, _) in parse_each(MeasureFile, paths, folder=place, name="source", problems=problems).items():
        for measure in file.completed():
            if measure.id in found:
                problems.append(f"{place}/{stem}.yaml: measure {measure.id!r} is there twice; rename one")
            found[measure.id] = measure
    if problems:
        raise ConfigError("\n".join(problems))
    return dict(sorted(found.items(), key=lambda item: item[1].no))


def expression(text: str, sets: Mapping[str, tuple[Scalar, ...]]) -> Node:
    """`when` or `value` as a tree, with the catalogue's own sets."""
    return parse_expression(text, Dialect(FUNCTIONS, sets={**SETS, **sets}))
