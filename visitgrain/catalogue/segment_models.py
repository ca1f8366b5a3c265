"""Segment models: three axes with three levels each make 27 segments. One YAML file each; the names are generated."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from visitgrain.catalogue.yaml_file import Strict, parse_each
from visitgrain.errors import ConfigError, suggestion
from visitgrain.tables.segmentation import BEHAVIOUR_SEGMENTS, CONSUMPTION_SEGMENTS, MODELS, MONTH_FEATURES

UNASSIGNED = 0  # where a table needs a number for "no segment"
LEVELS = (1, 2, 3)
SCORE = "score."  # prefix of a measure that is the month's score of a purpose
MEASURES: tuple[str, ...] = tuple(
    column.name for column in MONTH_FEATURES.columns[2:] if column.type in ("int", "bigint", "double")
)
AXES: dict[str, list[str]] = {
    model: [name.removesuffix("_level") for name in table.column_names if name.endswith("_level")]
    for model, table in zip(MODELS, (CONSUMPTION_SEGMENTS, BEHAVIOUR_SEGMENTS), strict=True)
}


def _measure(name: str) -> str:
    if name not in MEASURES and not name.startswith(SCORE):
        close = suggestion(name, list(MEASURES))
        raise ValueError(f"unknown measure{close}; allowed: {', '.join(MEASURES)}, {SCORE}<purpose>")
    return name


Measure = Annotated[str, AfterValidator(_measure)]


class Label(Strict):
    """A name in both languages."""

    zh: str
    en: str


class Axis(Strict):
    """One axis: the measure, which end is level 3, and where the levels begin.

    Cut points are `fixed: [low, high]`, or `fit: terciles` of the first month (from `fit_month` on) with a base.
    """

    axis: str
    letter: str = Field(pattern=r"^[A-Z]$")
    measure: Measure
    direction: Literal["high_is_good", "low_is_good"] = "high_is_good"
    levels: tuple[Label, Label, Label]
    fixed: tuple[float, float] | None = None
    fit: Literal["terciles"] | None = None
    fit_month: str | None = Field(default=None, pattern=r"^\d{4}-(0[1-9]|1[0-2])$")

    @model_validator(mode="after")
    def _cut_points_fit_together(self) -> Axis:
        if (self.fixed is None) == (self.fit is None):
            raise ValueError(f"axis {self.axis!r}: give either `fixed: [low, high]` or `fit: terciles`")
        if self.fixed and not self.fixed[0] < self.fixed[1]:
            raise ValueError(f"axis {self.axis!r}: fixed cut points {list(self.fixed)} do not rise; write [low, high]")
        if self.fixed and self.fit_month:
            raise ValueError(f"axis {self.axis!r}: fit_month has no effect on fixed cut points; remove it")
        return self

    @property
    def method(self) -> str:
        return self.fit or "fixed"

    @property
    def purpose(self) -> str | None:
        """Purpose of the score that the axis measures, if it measures one."""
        return self.measure.removeprefix(SCORE) if self.measure.startswith(SCORE) else None


@dataclass(frozen=True)
class Cell:
    """One of the 27 segments of a model, or the unassigned (segment 0, no levels)."""

    segment: int
    levels: tuple[int, ...]
    code: str
    zh: str
    en: str


class SegmentModel(Strict):
    """Three axes in the order of the segment number 9 (a - 1) + 3 (b - 1) + c. Change `version` to fit anew."""

    model: Literal["consumption", "behaviour"]
    version: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    zh: str
    en: str
    axes: tuple[Axis, Axis, Axis]

    @model_validator(mode="after")
    def _axes_are_those_of_the_table(self) -> SegmentModel:
        names = [axis.axis for axis in self.axes]
        if names != AXES[self.model]:
            raise ValueError(
                f"axes are {', '.join(names)}; model {self.model!r} has {', '.join(AXES[self.model])}, in this order"
            )
        return self

    def cells(self) -> list[Cell]:
        """The 27 segments in order of their number."""
        return [self._cell((a, b, c)) for a in LEVELS for b in LEVELS for c in LEVELS]

    def cells_and_unassigned(self) -> list[Cell]:
        return [Cell(UNASSIGNED, (), "unassigned", "未分群", "unassigned"), *self.cells()]

    def _cell(self, levels: tuple[int, int, int]) -> Cell:
        chosen = list(zip(self.axes, levels, strict=True))
        return Cell(
            segment=segment_number(levels),
            levels=levels,
            code="".join(f"{axis.letter}{level}" for axis, level in chosen),
            zh="·".join(axis.levels[level - 1].zh for axis, level in chosen),
            en=", ".join(axis.levels[level - 1].en for axis, level in chosen),
        )


def segment_number(levels: tuple[int, int, int]) -> int:
    """1-27 from three levels.

    >>> segment_number((1, 1, 1)), segment_number((1, 2, 3)), segment_number((3, 3, 3))
    (1, 6, 27)
    """
    a, b, c = levels
    return 9 * (a - 1) + 3 * (b - 1) + c


def load_segment_models(folder: Path, *, purposes: Collection[str] | None = None) -> dict[str, SegmentModel]:
    """Both models by name. With `purposes`, axes may measure no other score than of these. Raises ConfigError."""
    problems: list[str] = []
    paths, place = [folder / f"{name}.yaml" for name in MODELS], "conf/catalogue/segments"
    files = parse_each(SegmentModel, paths, folder=place, name="model", problems=problems)
    models = {name: model for name, (model, _) in files.items()}
    for name, model in models.items():
        problems += [f"{place}/{name}.yaml: {text}" for text in _unknown_purposes(model, purposes)]
    if problems:
        raise ConfigError("\n".join(problems))
    return models


def _unknown_purposes(model: SegmentModel, purposes: Collection[str] | None) -> list[str]:
    if purposes is None:
        return []
    allowed = ", ".join(purposes)
    return [
        f"axis {axis.axis!r}: no card {axis.purpose!r}{suggestion(axis.purpose, list(purposes))}; allowed: {allowed}"
        for axis in model.axes
        if axis.purpose is not None and axis.purpose not in purposes
    ]
