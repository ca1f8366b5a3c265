"""Two workers against one, a core each: `python -m bench.workers [--millions 0.5] [--runs 2]`. Prints only.

A standalone cluster of its own, as shipped but for its ports; the made-up month; the monthly pipeline, submitted in
turns with both cores and with one. Driver and workers share this machine, so that walls alone say little: also told
are CPU seconds of the driver's and of the workers' processes, and when no task ran, or two at once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import product
from bench.contestants import FOLDER
from bench.data import MONTH, events_files, snapshot_file
from bench.event_log import cost
from bench.measure import SAMPLE_S, own_seconds
from visitgrain.runtime.daemons import Daemons
from visitgrain.runtime.ledger import Ledger
from visitgrain.runtime.settings import default_conf
from visitgrain.runtime.standalone import Layout
from visitgrain.runtime.storage import Store
from visitgrain.tables.inputs import EVENTS, SUBSCRIBER_MONTH

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = ("spark.sql.shuffle.partitions=16", "spark.databricks.delta.snapshotPartitions=2")  # as `make demo-cluster`
Hashes = dict[tuple[str, str], str | None]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, default=0.5, help="events of the month")
    parser.add_argument("--runs", type=int, default=2, help="of each number of workers, in turns")
    arguments = parser.parse_args()
    source = _lake(arguments.millions)
    shipped = Layout.of(default_conf()).settings
    daemons = Daemons(Layout(shipped.model_copy(update={"first_port": 0}), (FOLDER / "cluster").absolute()))
    found: list[Hashes] = []
    try:
        daemons.start()
        print("workers  wall s  CPU s driver  CPU s workers  tasks  shuffle bytes  no task s  two tasks s", flush=True)
        for _ in range(arguments.runs):
            found += [_run(daemons, source, workers) for workers in (2, 1)]
    finally:
        daemons.stop()
    same = all(hashes == found[0] for hashes in found) and None not in found[0].values()
    print(f"tables of {len(found)} runs are {'the same' if same else 'NOT THE SAME'}: {len(found[0])} hashes")


def _lake(millions: float) -> Path:
    folder = FOLDER / f"lake-workers-{millions:g}m"
    if not (folder / SUBSCRIBER_MONTH.name).exists():
        context = product.open_lake(folder)
        product.load(context, EVENTS, events_files(FOLDER, millions))
        product.load(context, SUBSCRIBER_MONTH, snapshot_file(FOLDER, millions))
        context.spark.stop()
    return folder


def _run(daemons: Daemons, source: Path, workers: int) -> Hashes:
    """Content hashes by job and table of the monthly pipeline, upon a copy of the lake."""
    lake = (FOLDER / f"lake-{workers}-workers").absolute()
    shutil.rmtree(lake, ignore_errors=True)
    shutil.copytree(source, lake)
    layout = daemons.layout
    to = ["--master", layout.master_url, "--load-spark-defaults", str(layout.client_properties)]
    settings = [word for pair in SETTINGS for word in ("--set", pair)]
    command = [str(ROOT / "spark-submit.sh"), *to, "--conf", f"spark.cores.max={workers}", "--"]
    command += ["--lake", str(lake), *settings, "run", "monthly", "--date", MONTH]
    environment = {**os.environ, "SPARK_LOCAL_IP": layout.settings.host}
    hosts = [state.pid for state in daemons.states() if state.pid and state.daemon.name.startswith("worker")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    with _cpu_of([process.pid]) as driver, _cpu_of(hosts) as work:
        code = process.wait()
    if code:
        raise RuntimeError(f"{command!r} ended with {code}")
    told = cost(max(layout.event_logs.iterdir(), key=lambda path: path.stat().st_mtime))
    if told.executors != workers:
        raise RuntimeError(f"{told.executors} executors took part, {workers} were asked for")
    print(
        f"{workers:7} {told.wall_s:7.1f} {sum(driver.values()):13.1f} {sum(work.values()):14.1f} {told.tasks:6} "
        f"{told.shuffle_bytes:14,} {told.no_task_s:10.1f} {told.two_tasks_s:12.1f}",
        flush=True,
    )
    entries = Ledger(Store(str(lake))).entries()
    return {(entry.job, entry.table_name): entry.content_hash for entry in entries}


@contextmanager
def _cpu_of(roots: list[int]) -> Iterator[dict[int, float]]:
    """CPU seconds by process of all that are below `roots` while the block runs, those that end meanwhile too."""
    before = {pid: seconds for root in roots for pid, seconds in own_seconds(root).items()}
    used: dict[int, float] = {}
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_S):
            for root in roots:
                used.update({pid: s - before.get(pid, 0.0) for pid, s in own_seconds(root).items()})

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield used
    finally:
        stop.set()
        sampler.join()


if __name__ == "__main__":
    main()
