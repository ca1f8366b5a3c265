"""How features are told as reasons: conf/catalogue/churn_phrases.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from visitgrain.catalogue.yaml_file import Strict, parse_with_places, place_of
from visitgrain.errors import ConfigError, suggestion
from visitgrain.tables.churning import FEATURES

LABEL = "conf/catalogue/churn_phrases.yaml"


class Habit(Strict):
    """The subscriber's own usual value: another feature, brought to the same length of time."""

    feature: str
    divided_by: float = 1.0  # ev_180 divided by 6 is usual for ev_30


class Phrase(Strict):
    """How a feature is told. Features of one family are one reason, told by the member that adds most."""

    en: str
    zh: str
    unit_en: str = ""
    unit_zh: str = ""
    family: str | None = None
    decimals: int = 0
    usual: Habit | None = None  # else the median of those who stayed
    worse: Literal["low", "high"] | None = None  # compare with the usual only where the value lies on that side of it


class Phrases(Strict):
    """Phrases by feature. A feature without a phrase is never given as a reason."""

    phrases: dict[str, Phrase]


def load_phrases(folder: Path) -> dict[str, Phrase]:
    """Raises ConfigError, also for features that there are not."""
    found, node = parse_with_places(Phrases, folder / "churn_phrases.yaml", label=LABEL)
    named: dict[str, tuple[str, ...]] = {name: ("phrases", name) for name in found.phrases}
    named |= {p.usual.feature: ("phrases", name, "usual", "feature") for name, p in found.phrases.items() if p.usual}
    unknown = [
        f"{place_of(node, where, LABEL)}: no feature {name!r} in churn_features{suggestion(name, list(FEATURES))}"
        for name, where in named.items()
        if name not in FEATURES
    ]
    if unknown:
        raise ConfigError("\n".join(unknown))
    return found.phrases
