"""In CI: the monthly pipeline on two workers, each in a network namespace of its own where the machine lets us."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from functools import partial

import pytest

from bench.event_log import events
from pipelines import monthly
from tests.cluster.conftest import MONTHLY, latest_log, standing, submit
from tests.cluster.namespaces import Network, Spread, network
from tests.jobs.runtime_world import context
from visitgrain.runtime.daemons import Daemons
from visitgrain.runtime.ledger import Ledger
from visitgrain.runtime.runner import run_pipeline
from visitgrain.span import Span

pytestmark = pytest.mark.slow
FEBRUARY = Span.month_of(date(2026, 2, 1))


@pytest.fixture
def apart(tmp_path) -> Iterator[tuple[Daemons, Network | None]]:
    """A cluster of two workers, and the network that they are spread over; None = on loopback."""
    with network(workers=2) as net:
        where = {"host": net.host, "kind": partial(Spread, net=net)} if net else {}
        with standing(tmp_path / "cluster", **where) as daemons:
            yield daemons, net


def test_workers_apart_write_what_one_process_writes(spark, month, apart, tmp_path):
    daemons, net = apart
    (tmp_path / "run").mkdir()
    run = submit(daemons, month, tmp_path / "run", MONTHLY, master=None)
    alone = context(spark, shutil.copytree(month, tmp_path / "alone"), pseudonym_secret_file=month.parent / "secret")
    run_pipeline(monthly.PIPELINE, FEBRUARY, alone)
    assert run.wait() == 0, run.log.read_text()
    own = {(entry.job, entry.table_name): entry.content_hash for entry in Ledger(alone.lake.store).entries()}
    assert run.hashes() == own
    assert len(own) > 13
    assert None not in own.values()
    assert hosts(daemons) == ({net.address(1), net.address(2)} if net else {"127.0.0.1"})


def hosts(daemons: Daemons) -> set[str]:
    """Where tasks ran."""
    ends = (event for event in events(latest_log(daemons)) if event["Event"] == "SparkListenerTaskEnd")
    return {event["Task Info"]["Host"] for event in ends}


def test_a_machine_that_does_not_let_us_has_no_network(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with network(workers=1) as net:
        assert net is None
