"""What the cluster computes is what one process computes: undisturbed, a worker killed, the master killed."""

from __future__ import annotations

import os
import signal
import time

import pytest
from deltalake import DeltaTable

from bench.event_log import cost
from tests.cluster.conftest import DEVICES, MONTHLY, first_answer, latest_log, seconds_until

pytestmark = pytest.mark.faults


def test_two_workers_write_what_one_process_writes(local_run, cluster_run):
    assert cluster_run.hashes() == local_run.hashes()
    assert None not in cluster_run.hashes().values()
    assert DeltaTable(cluster_run.lake / "visits").count() == 2 * DEVICES


def test_one_worker_writes_what_two_write(cluster, cluster_run, submitted):
    two = cost(latest_log(cluster))
    run = submitted(None, "--conf", "spark.cores.max=1")
    assert run.wait() == 0, run.log.read_text()
    one = cost(latest_log(cluster))
    assert run.hashes() == cluster_run.hashes()
    assert (one.executors, two.executors) == (1, 2)


def test_a_worker_killed_amid_the_pipeline(cluster, cluster_run, submitted, local_run):
    run = submitted()
    _worker_killed(cluster, run, after="device_visits", before="visits", within=300)
    assert cluster.summary()["aliveworkers"] == 1
    assert run.hashes() == local_run.hashes()
    assert run.seconds <= 3 * cluster_run.seconds
    assert {state.daemon.name for state in cluster.start() if state.pid} >= {"worker-1", "worker-2"}
    assert cluster.summary()["aliveworkers"] == 2


def test_a_worker_killed_amid_the_monthly_pipeline(cluster, submitted, month):
    def start(*master):
        return submitted(*master, source=month, command=MONTHLY)

    local = start("local[2]")
    assert local.wait() == 0, local.log.read_text()
    undisturbed = start()
    assert undisturbed.wait() == 0, undisturbed.log.read_text()
    run = start()
    _worker_killed(cluster, run, after="visit_days", before="segment_profiles", within=600)
    assert run.hashes() == undisturbed.hashes() == local.hashes()
    assert len(run.hashes()) > 13
    assert None not in run.hashes().values()
    assert run.seconds <= 3 * undisturbed.seconds
    cluster.start()
    assert cluster.summary()["aliveworkers"] == 2


def _worker_killed(cluster, run, *, after: str, before: str, within: float) -> None:
    """Once there is the first table, and not yet the second, a worker dies; the run ends well without it."""
    seconds_until(lambda: run.has(after), within)
    victim = next(state for state in cluster.states() if state.daemon.name == "worker-1")
    os.kill(victim.pid, signal.SIGKILL)
    assert not run.has(before), "killed too late to prove anything"
    assert run.wait() == 0, run.log.read_text()
    assert cost(latest_log(cluster)).executors_lost >= 1


def test_the_master_killed_and_started_again(cluster, submitted, local_run, tmp_path):
    """The running application ends well; a new one has its answer within two minutes."""
    run = submitted()
    seconds_until(lambda: run.has("device_visits"), 300)
    master = cluster.states()[0].pid
    os.kill(master, signal.SIGKILL)
    assert not run.has("visits"), "killed too late to prove anything"
    cluster.start("master")
    assert cluster.states()[0].pid not in (None, master)
    assert run.wait() == 0, run.log.read_text()
    assert run.hashes() == local_run.hashes()
    began = time.monotonic()
    properties = cluster.layout.client_properties.read_text()
    assert first_answer(cluster, tmp_path, properties, ("ANSWER 10",)) == "ANSWER 10"
    assert time.monotonic() - began <= 120
