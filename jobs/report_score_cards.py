"""visits of the month before, month_features of this month -> score_card_reports."""

from __future__ import annotations

from datetime import timedelta

from visitgrain.runtime.job import Job, Read, Window, month_of
from visitgrain.scoring.card_report import report_score_cards
from visitgrain.span import Span
from visitgrain.tables.segmentation import MONTH_FEATURES, SCORE_CARD_REPORTS
from visitgrain.tables.visiting import VISITS


def _month_before(span: Span) -> Window:
    before = Span.month_of(span.start - timedelta(days=1))
    return before.start, before.end


JOB = Job(
    name="report_score_cards",
    summary="Tests each score card on what its subscribers did a month later and proposes weights.",
    grain="month",
    reads=(Read(VISITS, _month_before, name="visits_before"), month_of(MONTH_FEATURES)),
    writes=(SCORE_CARD_REPORTS,),
    transform=report_score_cards,
    spec=lambda catalogue: catalogue.score_cards,
)
