"""What the jobs need of the metric catalogue: formulas split into leaves and arithmetic, once for all metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from visitgrain.catalogue.atoms import Atom, atoms
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.formulas import Fraction, Leaf, OuterTree, fraction, leaves, plan
from visitgrain.catalogue.measures import SNAPSHOTS, Measure
from visitgrain.catalogue.metrics import Metric, MetricCatalogue
from visitgrain.catalogue.table_columns import check_columns
from visitgrain.tables.measuring import WindowName

ACTIVE, ACTIVE_DATES = "active_days", "activity_dates"
DATED = ("date_set", "min_date", "max_date", "first_by")


@dataclass(frozen=True)
class Plans:
    """Some metrics of a catalogue, ready to be computed for the windows of a run."""

    catalogue: MetricCatalogue
    zone: str
    wanted: tuple[str, ...]
    windows: tuple[WindowName, ...]

    @classmethod
    def of_subscribers(cls, catalogue: Catalogue) -> Plans:
        """The metrics of the wide table. Raises ConfigError when that table is not the catalogue's."""
        check_columns(catalogue.metrics)
        ids = tuple(name for name, metric in catalogue.metrics.metrics.items() if metric.of_subscribers)
        return cls(catalogue.metrics, catalogue.zone, ids, catalogue.metrics.settings.windows.monthly_subscriber)

    @classmethod
    def daily(cls, catalogue: Catalogue) -> Plans:
        """All metrics, windows of every day."""
        check_columns(catalogue.metrics)
        windows = catalogue.metrics.settings.windows.daily_population
        return cls(catalogue.metrics, catalogue.zone, tuple(catalogue.metrics.metrics), windows)

    @classmethod
    def monthly(cls, catalogue: Catalogue) -> Plans:
        """All metrics, windows of every month."""
        check_columns(catalogue.metrics)
        windows = catalogue.metrics.settings.windows.monthly_population
        return cls(catalogue.metrics, catalogue.zone, tuple(catalogue.metrics.metrics), windows)

    def only(self, wanted: Collection[str]) -> Plans:
        """The same for fewer metrics."""
        return Plans(self.catalogue, self.zone, tuple(name for name in self.wanted if name in wanted), self.windows)

    @property
    def metrics(self) -> list[Metric]:
        """Those that have one of the windows."""
        found = (self.catalogue.metrics[name] for name in self.wanted)
        return [metric for metric in found if set(metric.windows) & set(self.windows)]

    @cached_property
    def trees(self) -> dict[str, OuterTree]:
        kinds = self.catalogue.names.measures
        return {metric.id: plan(self.catalogue.trees[metric.id], kinds) for metric in self.metrics}

    @cached_property
    def fractions(self) -> dict[str, Fraction]:
        return {name: fraction(tree) for name, tree in self.trees.items()}

    @cached_property
    def weights(self) -> dict[str, OuterTree]:
        kinds = self.catalogue.names.measures
        return {name: plan(tree, kinds) for name, tree in self.catalogue.weights.items() if name in self.trees}

    @cached_property
    def leaves(self) -> dict[Leaf, str]:
        """Column of each leaf; of sketches also the observations, which say on whom a quantile stands."""
        found = [leaf for tree in (*self.trees.values(), *self.weights.values()) for leaf in leaves(tree)]
        observed = [Leaf("sum", leaf.tree, leaf.back, "n") for leaf in found if leaf.kind == "quantile"]
        different = dict.fromkeys([*found, *observed])
        return {leaf: f"leaf_{number}" for number, leaf in enumerate(different)}

    @cached_property
    def summed(self) -> dict[Leaf, str]:
        """Those that add up over subscribers: all but quantiles."""
        return {leaf: name for leaf, name in self.leaves.items() if leaf.kind != "quantile"}

    @cached_property
    def quantiles(self) -> dict[Leaf, str]:
        return {leaf: name for leaf, name in self.leaves.items() if leaf.kind == "quantile"}

    def stands_on(self, metric: str) -> tuple[str, ...]:
        """Columns of which one is not 0 where a subscriber has anything in the metric; of sketches the observations."""
        found = self.leaves_of(metric)
        observed = [Leaf("sum", leaf.tree, leaf.back, "n") if leaf.kind == "quantile" else leaf for leaf in found]
        return tuple(sorted(self.summed[leaf] for leaf in observed))

    @cached_property
    def stands(self) -> dict[tuple[str, ...], str]:
        """Each different `stands_on` of the metrics -> the column that counts its subscribers."""
        different = dict.fromkeys(self.stands_on(metric.id) for metric in self.metrics)
        return {columns: f"stands_{number}" for number, columns in enumerate(different)}

    def leaves_of(self, metric: str) -> list[Leaf]:
        return list(dict.fromkeys(leaves(self.trees[metric])))

    @cached_property
    def atoms(self) -> set[Atom]:
        return atoms(self.summed, self.catalogue.names.measures)

    @property
    def measures(self) -> Mapping[str, Measure]:
        return self.catalogue.measures

    @cached_property
    def added(self) -> list[Atom]:
        """Atoms that are sums over the days of a window."""
        return sorted((found for found in self.atoms if self._is_sum(found)), key=str)

    def _is_sum(self, found: Atom) -> bool:
        """Earlier windows of active days come from the set of active days, which reaches back furthest."""
        measure = self.measures[found.measure]
        return measure.source != SNAPSHOTS and measure.agg not in DATED and not (found.back and measure.id == ACTIVE)

    @cached_property
    def day_backs(self) -> list[int]:
        """0 and the earlier windows of which days are read."""
        return sorted({0, *(found.back for found in self.added), *(leaf.back for leaf in self.quantiles)})

    @cached_property
    def snapshot_measures(self) -> list[str]:
        return sorted({found.measure for found in self.atoms if self.measures[found.measure].source == SNAPSHOTS})

    @cached_property
    def snapshot_backs(self) -> list[int]:
        return sorted({0, *(found.back for found in self.atoms if found.measure in self.snapshot_measures)})

    @cached_property
    def sets(self) -> list[str]:
        """The sets of dates that the formulas read."""
        read = {ACTIVE_DATES if found.measure == ACTIVE and found.back else found.measure for found in self.atoms}
        return sorted(name for name in read if self.measures[name].agg == "date_set")

    @property
    def hash(self) -> str:
        """Over the definitions of all metrics of the catalogue."""
        text = "".join(self.catalogue.definition_hash(name) for name in self.catalogue.metrics)
        return blake2b(text.encode(), digest_size=8).hexdigest()
