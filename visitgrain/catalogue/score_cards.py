"""Score cards: what each behaviour of a visit is worth for one purpose. One YAML file per purpose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from visitgrain.catalogue.yaml_file import Strict, parse_each
from visitgrain.errors import ConfigError, suggestion
from visitgrain.tables.visiting import VISITS

SCORE_DECIMALS = 3  # resolution of weights: scores are sums of whole thousandths, so the order of summing never shows
THOUSANDTHS = 10**SCORE_DECIMALS
REQUIRED = "general"  # month_features.score_per_visit is of this purpose
NOT_COUNTS = ("weekday", "hour", "funnel_stage", "visits_30d")  # integers of a visit that count nothing in it

BEHAVIOURS: tuple[str, ...] = tuple(
    column.name for column in VISITS.columns if column.type == "int" and column.name not in NOT_COUNTS
)


def _behaviour(name: str) -> str:
    if name not in BEHAVIOURS:
        close = suggestion(name, list(BEHAVIOURS))
        raise ValueError(f"unknown behaviour{close}; allowed are the counts of a visit: {', '.join(BEHAVIOURS)}")
    return name


def _resolved(weight: float) -> float:
    if weight == 0:
        raise ValueError("a weight of 0 has no effect; leave the behaviour out")
    if round(weight, SCORE_DECIMALS) != weight:
        raise ValueError(f"a weight has at most {SCORE_DECIMALS} decimals; round it")
    return weight


Behaviour = Annotated[str, AfterValidator(_behaviour)]
Weight = Annotated[float, Field(ge=-1000, le=1000), AfterValidator(_resolved)]


class ScoreCard(Strict):
    """Weights per behaviour of a visit. Change `version` with the weights: it is stored with every visit."""

    purpose: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    zh: str
    en: str
    description: str
    ridge: float = Field(
        gt=0, description="penalty of the fit that proposes weights, in units of standardised behaviours"
    )
    weights: dict[Behaviour, Weight] = Field(min_length=1)


def score_versions(cards: Mapping[str, ScoreCard]) -> str:
    """`purpose=version` of every card, sorted and joined by commas."""
    return ",".join(f"{purpose}={cards[purpose].version}" for purpose in sorted(cards))


def load_score_cards(folder: Path) -> dict[str, ScoreCard]:
    """Every card of the folder by purpose, sorted. Raises ConfigError with all problems of all files."""
    problems: list[str] = []
    files = parse_each(
        ScoreCard,
        sorted(folder.glob("*.yaml")),
        folder="conf/catalogue/score_cards",
        name="purpose",
        problems=problems,
    )
    cards = {card.purpose: card for card, _ in files.values()}
    if not problems and REQUIRED not in cards:
        problems.append(f"conf/catalogue/score_cards: no card {REQUIRED!r}; add {REQUIRED}.yaml")
    if problems:
        raise ConfigError("\n".join(problems))
    return cards
