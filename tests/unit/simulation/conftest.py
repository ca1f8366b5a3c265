"""One busy feed in memory for all tests of what is planted in it."""

from __future__ import annotations

import pytest

from tests.unit.simulation.worlds import Lens, feed_of, tables_of


@pytest.fixture(scope="session")
def busy_feed():
    return feed_of(3000, seed=11)


@pytest.fixture(scope="session")
def busy(busy_feed) -> Lens:
    """3,000 subscribers, four weeks."""
    return Lens(tables_of(busy_feed))
