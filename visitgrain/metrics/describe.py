"""A metric in words: what `visitgrain metrics show` prints, derived from the catalogue alone."""

from __future__ import annotations

from collections.abc import Iterator

from visitgrain.catalogue.expression_tree import names_in
from visitgrain.catalogue.formula_text import text_of
from visitgrain.catalogue.formulas import Fraction, fraction, inlined, leaves, plan
from visitgrain.catalogue.measures import Measure
from visitgrain.catalogue.metric_language import parsed
from visitgrain.catalogue.metrics import MetricCatalogue

GRAINS = {"S": "subscriber", "P": "population"}


def described(catalogue: MetricCatalogue, name: str) -> Iterator[str]:
    """Lines about one metric of the catalogue."""
    metric = catalogue.metrics[name]
    low, high = metric.range
    facts: list[tuple[str, str]] = [
        ("metric", f"{metric.id} (no. {metric.no})"),
        ("names", f"{metric.zh} / {metric.en}"),
        ("dimension", f"{metric.dimension}, family {metric.family}"),
        ("owner", metric.owner),
        ("unit", metric.unit),
        ("better", {"up": "higher", "down": "lower", "neutral": "neither"}[metric.direction]),
        ("grains", ", ".join(f"{grain} ({GRAINS[grain]})" for grain in metric.grains)),
        ("windows", ", ".join(metric.windows)),
        ("formula", metric.formula),
    ]
    if parsed(metric.formula) != catalogue.trees[name]:
        facts.append(("resolved", text_of(catalogue.trees[name])))
    if metric.rollup:
        facts.append(("rolled up", f"computed per {metric.rollup.stratify}, weighted by {metric.rollup.weight}"))
    facts += [
        ("looks back", _reach(catalogue, name)),
        ("slices by event", metric.rollup.stratify if metric.rollup else ", ".join(catalogue.slices(name)) or "none"),
        ("range", f"{'open' if low is None else f'{low:g}'} to {'open' if high is None else f'{high:g}'}"),
        ("null", _when_null(catalogue, name)),
        ("definition", catalogue.definition_hash(name)),
        ("note", metric.note),
    ]
    yield from (f"{label:<16} {text}" for label, text in facts)
    yield from _listed("measures", [_measure(measure) for measure in catalogue.reads(name)])
    yield from _listed("parameters", list(_parameters(catalogue, name)))


def _listed(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
        yield from (f"  {line}" for line in lines)


def _measure(measure: Measure) -> str:
    """visits (visits): count when bounced"""
    parts = [f"{measure.id} ({measure.source}): {measure.agg}"]
    parts += [f"of {measure.value}"] if measure.value else []
    parts += [f"by {measure.by}"] if measure.by else []
    parts += [f"when {measure.when}"] if measure.when else []
    parts += [f"of {measure.subject}"] if measure.subject != "subscriber" else []
    return " ".join(parts)


def _parameters(catalogue: MetricCatalogue, name: str) -> Iterator[str]:
    """The parameters of the formula, and of the metrics in it, with value and meaning."""
    formulas = {other: parsed(metric.formula) for other, metric in catalogue.metrics.items()}
    used = names_in(inlined(formulas[name], formulas, {}))
    for parameter, held in catalogue.settings.parameters.items():
        if parameter in used:
            yield f"{parameter} = {held.value:g}: {held.meaning}"


def _reach(catalogue: MetricCatalogue, name: str) -> str:
    windows, days = catalogue.look_back(name), catalogue.days_before(name)
    found = [f"{windows} window{'s' if windows > 1 else ''} before the current one"] if windows else []
    found += [f"{days} day{'s' if days > 1 else ''} before the earliest window starts"] if days else []
    return " and ".join(found) or "no further than its window"


def fraction_of(catalogue: MetricCatalogue, name: str) -> Fraction:
    """Numerator and denominator of a metric."""
    return fraction(plan(catalogue.trees[name], catalogue.names.measures))


def _when_null(catalogue: MetricCatalogue, name: str) -> str:
    """Reasons for a missing value."""
    parts, reasons = fraction_of(catalogue, name), []
    if parts.denominator is not None and any(leaves(parts.denominator)):
        reasons.append("the denominator is 0")
    if any(leaf.kind == "quantile" for leaf in leaves(parts.numerator)):
        reasons.append("nothing was observed")
    return "; ".join([*reasons, "history does not reach as far back as the formula looks"])
