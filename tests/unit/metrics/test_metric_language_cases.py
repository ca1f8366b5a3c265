"""What the language of metrics means, by hand."""

from __future__ import annotations

from tests.oracles.metric_language_cases import broken_cases


def test_cases_by_hand() -> None:
    assert not broken_cases()
