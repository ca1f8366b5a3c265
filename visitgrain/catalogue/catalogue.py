"""The loaded catalogue: everything under conf/catalogue that changes results, frozen, with a hash."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from visitgrain.catalogue.churn import ChurnSettings, load_churn
from visitgrain.catalogue.churn_phrases import Phrase, load_phrases
from visitgrain.catalogue.customer_value import CustomerValue
from visitgrain.catalogue.metrics import MetricCatalogue, load_metrics
from visitgrain.catalogue.score_cards import ScoreCard, load_score_cards
from visitgrain.catalogue.segment_models import SegmentModel, load_segment_models
from visitgrain.catalogue.visit_rules import VisitRules, load_visit_rules
from visitgrain.catalogue.yaml_file import Strict, parse


class Catalogue(Strict):
    """What jobs pick their `spec` from."""

    zone: str
    visit_rules: VisitRules
    score_cards: dict[str, ScoreCard]
    segment_models: dict[str, SegmentModel]
    metrics: MetricCatalogue
    churn: ChurnSettings
    churn_phrases: dict[str, Phrase]
    customer_value: CustomerValue

    @property
    def hash(self) -> str:
        """16 hex digits over all content: two runs with the same hash compute the same."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:16]


def load_catalogue(conf: Path, *, zone: str, visit_rules: str, churn: str = "default") -> Catalogue:
    """Reads conf/catalogue. Raises ConfigError, all problems of a file in one message."""
    folder = conf / "catalogue"
    cards = load_score_cards(folder / "score_cards")
    return Catalogue(
        zone=zone,
        visit_rules=load_visit_rules(folder / "visit_rules", visit_rules),
        score_cards=cards,
        segment_models=load_segment_models(folder / "segments", purposes=cards),
        metrics=load_metrics(folder),
        churn=load_churn(folder / "churn", churn),
        churn_phrases=load_phrases(folder),
        customer_value=parse(CustomerValue, folder / "customer_value.yaml", label="conf/catalogue/customer_value.yaml"),
    )
