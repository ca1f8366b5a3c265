"""Metrics: formulas over measures in a window, one YAML file per family. What can be derived from a formula is derived:
the measures it reads, how far it looks back, by what it may be sliced, its type, and the hash of its definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, field_validator

from visitgrain.catalogue.expression_tree import ExpressionError, Node, names_in
from visitgrain.catalogue.formulas import checked, deepest, depends_on, first_day_needed, inlined
from visitgrain.catalogue.measures import Measure, load_measures
from visitgrain.catalogue.metric_language import Names, parsed
from visitgrain.catalogue.metric_settings import FIRST_SCREEN, MetricSettings
from visitgrain.catalogue.yaml_file import Strict, parse, parse_each, place_of
from visitgrain.errors import ConfigError, suggestion
from visitgrain.tables.measuring import WINDOWS, WindowName

SLICES_BY_EVENT = ("channel", "business", "touchpoint_id", "campaign_id", "os", "app_version")
MOST_BACK_IN_SLICES = 2  # windows: beyond that only the state of a subscriber reaches, which is not kept per slice


class Rollup(Strict):
    """A metric that is computed per stratum and rolled up by weight: pooling strata would be biased."""

    stratify: Literal["campaign_id"]
    weight: str


class Metric(Strict):
    """One metric. `range` [least, most] is a data test on every value; null = open."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    no: int
    zh: str
    en: str
    dimension: Literal["acquisition", "health", "preference", "purchase"]
    unit: Literal[
        "users", "ratio", "times", "days", "seconds", "ms", "pages", "score", "yuan", "MB", "points", "orders", "pp"
    ]
    direction: Literal["up", "down", "neutral"]
    formula: str
    grains: tuple[Literal["S", "P"], ...] = Field(min_length=1)
    windows: tuple[WindowName, ...] = Field(min_length=1)
    range: tuple[float | None, float | None]
    owner: str
    rollup: Rollup | None = None
    note: str
    family: str = ""  # that of the file

    @field_validator("windows", mode="before")
    @classmethod
    def _all(cls, windows: object) -> object:
        return WINDOWS if windows == "all" else windows

    @property
    def of_subscribers(self) -> bool:
        return "S" in self.grains


class Family(Strict):
    """One file: the metrics of a family."""

    family: str
    zh: str
    en: str
    metrics: tuple[Metric, ...]


class MetricCatalogue(Strict):
    """Measures, metrics and settings, checked against each other. `trees` hold no metric names and no parameters."""

    measures: dict[str, Measure]
    families: dict[str, Family]
    settings: MetricSettings

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        found = [
            metric.model_copy(update={"family": family.family})
            for family in self.families.values()
            for metric in family.metrics
        ]
        return {metric.id: metric for metric in sorted(found, key=lambda metric: metric.no)}

    @cached_property
    def names(self) -> Names:
        kinds = {name: measure.kind for name, measure in self.measures.items()}
        return Names(kinds, list(self.metrics), self.settings.values)

    @cached_property
    def trees(self) -> dict[str, Node]:
        formulas = {name: parsed(metric.formula) for name, metric in self.metrics.items()}
        return {name: inlined(tree, formulas, self.settings.values) for name, tree in formulas.items()}

    @cached_property
    def weights(self) -> dict[str, Node]:
        """Formula of the weight of every metric that is rolled up."""
        rolled = {name: metric.rollup for name, metric in self.metrics.items() if metric.rollup}
        return {name: inlined(parsed(rollup.weight), {}, self.settings.values) for name, rollup in rolled.items()}

    def reads(self, metric: str) -> list[Measure]:
        """The measures of a metric, in order of their numbers."""
        read = depends_on(self.trees[metric])
        return [measure for name, measure in self.measures.items() if name in read]

    def look_back(self, metric: str) -> int:
        """Windows before the current one that the metric reads."""
        return deepest(self.trees[metric])

    def days_before(self, metric: str) -> int:
        """Days before the start of the earliest window that it reads: cohorts that fall due in the window."""
        return first_day_needed(self.trees[metric])

    def slices(self, metric: str) -> tuple[str, ...]:
        """Attributes of events by which all of its measures can be told apart."""
        if self.look_back(metric) > MOST_BACK_IN_SLICES:
            return ()
        sets = [set(measure.slices or ()) for measure in self.reads(metric)]
        return tuple(name for name in SLICES_BY_EVENT if all(name in slices for slices in sets))

    def definition_hash(self, metric: str) -> str:
        """16 hex digits over all that the value depends on: formula, parameters, measures, roll-up."""
        own = self.metrics[metric]
        parts = [repr(self.trees[metric]), repr(own.rollup), repr(sorted(self.settings.sets.items()))]
        # Names in two languages and slices say nothing about the value.
        parts += [measure.model_dump_json(exclude={"zh", "en", "no", "slices"}) for measure in self.reads(metric)]
        return blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()


def load_metrics(folder: Path) -> MetricCatalogue:
    """Measures, families and settings under conf/catalogue. Raises ConfigError, every problem with its place."""
    measures = load_measures(folder / "measures")
    settings = parse(MetricSettings, folder / "metric_settings.yaml", label="conf/catalogue/metric_settings.yaml")
    problems: list[str] = []
    paths = sorted((folder / "metrics").glob("*.yaml"))
    files = parse_each(Family, paths, folder="conf/catalogue/metrics", name="family", problems=problems)
    families = {stem: family for stem, (family, _) in files.items()}
    nodes = {stem: node for stem, (_, node) in files.items()}
    made = MetricCatalogue(measures=measures, families=families, settings=settings)
    problems += list(_problems(made, nodes))
    if problems:
        raise ConfigError("\n".join(problems))
    return made


def _problems(made: MetricCatalogue, nodes: Mapping[str, yaml.Node]) -> Iterator[str]:
    """What is wrong across files: one line each, as file:line:column: metric: finding."""
    seen: dict[str, str] = {}
    formulas: dict[str, Node] = {}
    places: dict[str, str] = {}
    for stem, family in made.families.items():
        for position, metric in enumerate(family.metrics):
            label = f"conf/catalogue/metrics/{stem}.yaml"
            place = place_of(nodes[stem], ("metrics", position, "formula"), label)
            where = f"{place}: {metric.id}"
            if metric.id in places or metric.id in made.measures:
                yield f"{where}: the id is taken; rename it"
            for text in (metric.zh, metric.en, str(metric.no)):
                if seen.setdefault(text, metric.id) != metric.id:
                    yield f"{where}: {text!r} is also that of {seen[text]}; no two metrics share a name or a number"
            places[metric.id] = where
            try:
                formulas[metric.id] = checked(metric.formula, made.names)
                if metric.rollup:
                    checked(metric.rollup.weight, made.names)
            except ExpressionError as error:
                yield f"{where}: {error}"
    if len(formulas) == len(places):
        yield from _cycles_and_twins(formulas, places, made)
    yield from _first_screen(made)


def _cycles_and_twins(formulas: dict[str, Node], places: dict[str, str], made: MetricCatalogue) -> Iterator[str]:
    for name in formulas:
        chain = _cycle(name, formulas, ())
        if chain:
            yield f"{places[name]}: reads itself: {' -> '.join(chain)}; break the circle"
            return
    twins: dict[str, str] = {}
    for name, tree in formulas.items():
        other = twins.setdefault(repr(inlined(tree, formulas, made.settings.values)), name)
        if other != name:
            yield f"{places[name]}: the same formula as {other}; remove one"


def _cycle(name: str, formulas: Mapping[str, Node], above: tuple[str, ...]) -> tuple[str, ...]:
    if name in above:
        return (*above, name)
    for inner in sorted(names_in(formulas[name]) & set(formulas)):
        found = _cycle(inner, formulas, (*above, name))
        if found:
            return found
    return ()


def _first_screen(made: MetricCatalogue) -> Iterator[str]:
    shown = made.settings.first_screen
    label = "conf/catalogue/metric_settings.yaml: first_screen"
    for name in shown:
        if name not in made.metrics:
            yield f"{label}: unknown metric {name!r}{suggestion(name, list(made.metrics))}"
    if len(set(shown)) != FIRST_SCREEN:
        yield f"{label}: {len(set(shown))} different metrics; it has room for {FIRST_SCREEN}"
