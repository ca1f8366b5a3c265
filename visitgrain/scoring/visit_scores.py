"""Moved: see visitgrain.expressions.visit_scores."""

from visitgrain.expressions.visit_scores import score_versions, visit_scores

__all__ = ["score_versions", "visit_scores"]
