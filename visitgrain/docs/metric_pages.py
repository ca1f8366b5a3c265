"""Markdown: the catalogue of metrics and measures, in English and Chinese."""

from __future__ import annotations

from collections.abc import Iterator

from visitgrain.catalogue.expression_tree import Call, Node
from visitgrain.catalogue.formula_text import COMPARISON, text_of
from visitgrain.catalogue.measures import SETS, Measure
from visitgrain.catalogue.metric_language import FUNCTIONS, parsed
from visitgrain.catalogue.metrics import Metric, MetricCatalogue
from visitgrain.docs.divisors import null_when
from visitgrain.docs.markdown import code, codes, table
from visitgrain.tables.measuring import WINDOWS

_HEADING = "<!-- Generated from conf/catalogue by `make docs`; edit the catalogue, not this page. -->"
_CATALOGUE = "../../conf/catalogue"
_DIMENSIONS = {
    "acquisition": "获客 Acquisition",
    "health": "健康度 Health",
    "preference": "偏好 Preference",
    "purchase": "购买 Purchase",
}
_INTRO = f"""\
Every metric is declared in [conf/catalogue]({_CATALOGUE}): `metrics` holds one file per family, `measures` one per
source, `metric_settings.yaml` what they share. 指标均在 conf/catalogue 中声明，本页由其生成。

**Formulas 公式.** A formula is about a set of subscribers and a window. A bare name is the sum of a measure over both;
inside `users(..)`, `total(..)` and `mean(..)` an expression is about one subscriber. Lower-case names are measures or
other metrics, names in capitals are parameters. Grain `S` is the value of one subscriber, `P` that of a population: the
same formula over a set of one or of many. 公式针对一组用户和一个窗口：单独的度量名表示求和，
`users`、`total`、`mean` 内针对单个用户；大写名为参数；粒度 `S` 为单个用户，`P` 为人群。

**Windows 窗口.** `day`, `week` (Monday to Sunday), `month`, and `r7`, `r28`, `r30`, `r90`: so many days ending on the
date. `prev(x)` is x in the window before; *back* says how many windows before the current one are read.
`week` 为周一至周日，`r7` 等为截至当日的滚动窗口，`prev(x)` 为上一窗口；back 为回看的窗口数。

**Null 空值.** A value is null where it divides by 0 or by null: *null when* lists what it divides by. It is also null
where history does not reach back as far as the metric looks. A measure without rows is 0; a snapshot or a date without
rows is null, and a comparison with null is false. 分母为 0 或为空、或历史不足时，值为空；
无记录的度量为 0，无记录的快照和日期为空，与空值比较为假。

**Definition 口径.** The hash covers all that the value depends on: formula, parameters, measures, roll-up. Direction is
the way that is better: up, down, or neutral. 哈希随口径变化；direction 表示越高越好、越低越好或中性。"""


def metrics_page(catalogue: MetricCatalogue) -> str:
    """Metrics by dimension and family, first screen, measures, sets, parameters and functions."""
    lines = [_HEADING, "# 指标目录 Metrics", "", _INTRO, ""]
    for part in (_families, _first_screen, _measures, _sets, _parameters, _functions):
        lines += [*part(catalogue), ""]
    return "\n".join(lines)


def _families(catalogue: MetricCatalogue) -> Iterator[str]:
    formulas = {name: parsed(metric.formula) for name, metric in catalogue.metrics.items()}
    for dimension, title in _DIMENSIONS.items():
        of_dimension = [metric for metric in catalogue.metrics.values() if metric.dimension == dimension]
        yield from (f"## {title}", "")
        for name in dict.fromkeys(metric.family for metric in of_dimension):
            family = catalogue.families[name]
            rows = [_metric_row(metric, catalogue, formulas) for metric in of_dimension if metric.family == name]
            yield from (f"### {family.zh} {family.en}", "")
            yield from (f"[{name}.yaml]({_CATALOGUE}/metrics/{name}.yaml)", "")
            yield from (*table(_METRIC_HEADINGS, rows), "")


_METRIC_HEADINGS = (
    *("no", "id", "中文名", "English", "unit", "grains", "windows", "formula", "null when", "slices by event"),
    *("back", "direction", "definition", "owner", "note"),
)


def _metric_row(metric: Metric, catalogue: MetricCatalogue, formulas: dict[str, Node]) -> tuple[object, ...]:
    windows = "all" if metric.windows == WINDOWS else ", ".join(metric.windows)
    divisors = null_when(formulas[metric.id], formulas)
    return (
        *(metric.no, code(metric.id), metric.zh, metric.en, metric.unit, ", ".join(metric.grains), windows),
        *(code(metric.formula), "; ".join(_is_zero(divisor) for divisor in divisors)),
        *(codes(catalogue.slices(metric.id)), catalogue.look_back(metric.id), metric.direction),
        *(code(catalogue.definition_hash(metric.id)), metric.owner, _note(metric)),
    )


def _is_zero(divisor: Node) -> str:
    match divisor:
        case Call("users", (Call("not", (Call("is_null"),)),)):
            return "nobody with a value"
    return code(f"{text_of(divisor, COMPARISON + 1)} == 0")


def _note(metric: Metric) -> str:
    if metric.rollup is None:
        return metric.note
    return f"{metric.note}; per {code(metric.rollup.stratify)}, rolled up by {code(metric.rollup.weight)}"


def _first_screen(catalogue: MetricCatalogue) -> Iterator[str]:
    shown = [catalogue.metrics[name] for name in catalogue.settings.first_screen]
    yield from ("## 首屏指标 First screen", "")
    yield from table(
        ("", "no", "id", "中文名", "English"),
        [(place, metric.no, code(metric.id), metric.zh, metric.en) for place, metric in enumerate(shown, 1)],
    )


def _measures(catalogue: MetricCatalogue) -> Iterator[str]:
    headings = ("no", "id", "中文名", "English", "source", "aggregate", "counted when", "value", "by", "slices")
    yield from ("## 度量 Measures", "")
    yield from (f"Mergeable aggregates per subscriber and local day: [measures]({_CATALOGUE}/measures).", "")
    yield from table(headings, [_measure_row(measure) for measure in catalogue.measures.values()])


def _measure_row(measure: Measure) -> tuple[object, ...]:
    subject = {"subscriber": "", "nobody": " of nobody known", "sharer": " of the sharer"}[measure.subject]
    aggregate = code(measure.agg) + subject + ("" if measure.date == "day" else f" on {code(measure.date)}")
    return (
        *(measure.no, code(measure.id), measure.zh, measure.en, measure.source, aggregate),
        *(code(measure.when), code(measure.value), measure.by or "", codes(measure.slices or ())),
    )


def _sets(catalogue: MetricCatalogue) -> Iterator[str]:
    rows = [(code(name), codes(values)) for name, values in {**SETS, **catalogue.settings.sets}.items()]
    yield from ("## 集合 Sets in conditions of measures", "")
    yield from table(("name", "values"), rows)


def _parameters(catalogue: MetricCatalogue) -> Iterator[str]:
    rows = [(code(name), own.value, own.meaning) for name, own in catalogue.settings.parameters.items()]
    yield from ("## 参数 Parameters", "")
    yield from table(("name", "value", "meaning"), rows)


def _functions(_: MetricCatalogue) -> Iterator[str]:
    yield from ("## 函数 Functions of formulas", "")
    yield from table(("function", "gives"), [(code(own.usage), own.summary) for own in FUNCTIONS.values()])
