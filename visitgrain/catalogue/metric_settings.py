"""What metrics share: parameters of formulas, sets, windows that jobs compute, suppression, and the first screen."""

from __future__ import annotations

from datetime import date

from pydantic import Field, field_validator, model_validator

from visitgrain.catalogue.yaml_file import Strict
from visitgrain.tables.measuring import WindowName

FIRST_SCREEN = 21


class Parameter(Strict):
    """A number that formulas know by its upper-case name."""

    value: int | float
    meaning: str


class Release(Strict):
    """A version of the app and its day."""

    version: str
    released: date


class Windows(Strict):
    """Which windows the jobs compute."""

    daily_population: tuple[WindowName, ...]
    monthly_subscriber: tuple[WindowName, ...]
    monthly_population: tuple[WindowName, ...]

    @model_validator(mode="after")
    def _months_are_monthly(self) -> Windows:
        slow = sorted({"month", "r90"} & set(self.daily_population))
        if slow:
            raise ValueError(f"daily_population: {', '.join(slow)} belongs to monthly_population")
        both = sorted(set(self.daily_population) & set(self.monthly_population))
        if both:
            raise ValueError(f"{', '.join(both)}: in daily_population and in monthly_population; keep one")
        return self


class MetricSettings(Strict):
    """conf/catalogue/metric_settings.yaml"""

    parameters: dict[str, Parameter]
    sets: dict[str, tuple[str, ...]]
    windows: Windows
    minimum_cell: int = Field(ge=1, description="numbers on fewer subscribers do not leave the lake")
    campaign_days: int = Field(ge=1, le=31)
    releases: tuple[Release, ...]
    first_screen: tuple[str, ...]

    @field_validator("parameters")
    @classmethod
    def _upper_case(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        wrong = [name for name in parameters if not name.isupper() or not name.isidentifier()]
        if wrong:
            raise ValueError(f"names of parameters are in capitals, found {', '.join(wrong)}")
        return parameters

    @field_validator("releases")
    @classmethod
    def _in_order(cls, releases: tuple[Release, ...]) -> tuple[Release, ...]:
        days = [release.released for release in releases]
        if days != sorted(days):
            raise ValueError("releases are listed oldest first")
        return releases

    @property
    def values(self) -> dict[str, int | float]:
        return {name: parameter.value for name, parameter in self.parameters.items()}
