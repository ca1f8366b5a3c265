"""What the jobs need of the metric catalogue: formulas split into leaves and arithmetic, once for all metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from visitgrain.catalogue.atoms import Atom, atoms
from visitgrain.catalogue.catalogue import Catalogue
from visitgrain.catalogue.formulas import Fraction, Leaf, OuterTree, fraction, leaves, plan
from visitgrain.catalogue.measures import Measure
from visitgrain.catalogue.metrics import Metric, MetricCatalogue
from visitgrain.catalogue.table_columns import check_columns
from visitgrain.metrics.inner import Inner
from visitgrain.metrics.outer import leaf_names
from visitgrain.tables.measuring import WindowName

MOST_BACK = {"month": 11}  # windows before; only months are looked back upon that far
OTHERS_BACK = 2


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
        trees = [*self.trees.values(), *self.weights.values()]
        sketches = [leaf for tree in trees for leaf in leaves(tree) if leaf.kind == "quantile"]
        return leaf_names([*trees, *(Leaf("sum", leaf.tree, leaf.back, "n") for leaf in sketches)])

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
    def inner(self) -> Inner:
        return Inner(self.catalogue.names.measures)

    @property
    def measures(self) -> Mapping[str, Measure]:
        return self.catalogue.measures

    @property
    def most_back(self) -> int:
        """Windows before the current one whose bounds are needed."""
        return max(MOST_BACK.get(name, OTHERS_BACK) for name in self.windows)

    @property
    def hash(self) -> str:
        """Over the definitions of all metrics of the catalogue."""
        text = "".join(self.catalogue.definition_hash(name) for name in self.catalogue.metrics)
        return blake2b(text.encode(), digest_size=8).hexdigest()
