"""The churn model's settings: conf/catalogue/churn/<name>.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from visitgrain.catalogue.yaml_file import Strict, named_file, parse
from visitgrain.tables.measuring import WindowName
from visitgrain.tables.vocabulary import CHANNELS

LearnerName = Literal["recency", "rfv_logistic", "logistic", "lightgbm", "xgboost_spark", "gbt_spark"]
SliceName = Literal[
    "main_channel",
    "main_touchpoint",
    "main_hours",
    "tenure_band",
    "area",
    "plan",
    "consumption_segment",
    "behaviour_segment",
]


class Tracking(Strict):
    """Where models are tracked and registered, by which run on which tables, and how many settings it tries."""

    uri: str
    run_id: str
    lake: str
    versions: dict[str, int]
    trials: int | None = None


class Search(Strict):
    """A setting of a learner: from low to high, both included; whole numbers where both are."""

    low: int | float
    high: int | float
    log: bool = False


class Months(Strict):
    """How many cut-offs a training run has; null = all there are."""

    train: int | None = Field(ge=1)
    choose: int = Field(ge=1)
    test: int = Field(ge=1)


class Tiers(Strict):
    """Where `mid` and `high` begin: calibrated probabilities, or shares of the population."""

    by: Literal["probability", "capacity"]
    mid: float = Field(gt=0, lt=1)
    high: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> Tiers:
        if (self.mid < self.high) is (self.by == "capacity"):
            wanted = "high is the smaller share" if self.by == "capacity" else "mid lies below high"
            raise ValueError(f"tiers by {self.by}: {wanted}, found mid {self.mid}, high {self.high}")
        return self


class Profit(Strict):
    """Value of a customer kept, cost of the offer to who accepts it, cost of a contact."""

    value_fen: int = Field(gt=0)
    offer_fen: int = Field(ge=0)
    contact_fen: int = Field(ge=0)


class Gate(Strict):
    """Limits of the gate between challenger and champion; what they mean: visitgrain/churn/promotion.py."""

    confidence: float = Field(gt=0.5, lt=1)
    max_ece: float = Field(gt=0, lt=1)
    max_bias: float = Field(gt=0)
    max_slice_loss: float = Field(gt=0, lt=1)
    min_class_rows: int = Field(ge=10)
    max_single_feature_auc: float = Field(gt=0.5, le=1)
    shuffled_tolerance: float = Field(gt=0, lt=0.5)
    leak_list: tuple[str, ...]


class Monitoring(Strict):
    """Limits beyond which a month is told of, or not published."""

    psi_alert: float = Field(gt=0)
    psi_block: float = Field(gt=0)
    nulls_alert: float = Field(gt=0, lt=1)
    ece_alert: float = Field(gt=0)
    auc_drop_alert: float = Field(gt=0)


class Retrain(Strict):
    """When a new model is due."""

    after_months: int = Field(ge=1)
    on_alert: bool


class Survival(Strict):
    """Weekly hazards: how long a silence is, how far ahead they look, by whom and from how much they are learnt."""

    silence_days: int = Field(ge=7)
    horizon_weeks: int = Field(ge=4, le=52)
    most_person_weeks: int = Field(ge=1000)
    learners: tuple[Literal["logistic", "lightgbm"], ...] = Field(min_length=1)


class ChangeMoment(Strict):
    """When activity is too little for the own habit; the rule: visitgrain/churn/change_moment.py."""

    limit: float = Field(gt=0, lt=1)
    min_days: int = Field(ge=1)


class ChurnSettings(Strict):
    """One file of conf/catalogue/churn."""

    label_channel: Literal["app", "web", "wechat", "any"]
    metric_windows: tuple[WindowName, ...]
    minimum_coverage: float = Field(ge=0, lt=1)
    most_drift: float = Field(gt=0)
    months: Months
    most_rows: int = Field(ge=1000)
    seed: int = Field(ge=0)
    learners: tuple[LearnerName, ...] = Field(min_length=1)
    trials: int = Field(ge=0)
    search: dict[LearnerName, dict[str, Search]]
    calibration: Literal["none", "platt", "isotonic", "best"]
    tiers: Tiers
    explained: tuple[Literal["low", "mid", "high"], ...]
    profit: Profit
    slices: tuple[SliceName, ...]
    gate: Gate
    monitoring: Monitoring
    retrain: Retrain
    survival: Survival
    change_moment: ChangeMoment

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels on which silence is meant."""
        return CHANNELS if self.label_channel == "any" else (self.label_channel,)


def load_churn(folder: Path, name: str) -> ChurnSettings:
    """The settings `name`. Raises ConfigError with the names there are."""
    return parse(ChurnSettings, named_file(folder, name, setting="churn"), label=f"conf/catalogue/churn/{name}.yaml")
