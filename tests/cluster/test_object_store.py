"""A lake on S3 holds what a lake in a folder holds, also when a run on it was killed. moto stands in for S3."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from tests.cluster.conftest import seconds_until
from tests.faults.chain import Held, copy, held
from tests.faults.command import DAILY, Command
from visitgrain.arrow.rows import filesystem
from visitgrain.runtime.storage import Store
from visitgrain.tables.runs import PUBLISHED_RUNS

pytestmark = pytest.mark.faults

BUCKET = "s3a://lakes"
SIMULATE = ("simulate", "--subscribers", "40", "--from", "2026-02-20", "--to", "2026-03-03", "--seed", "7")
MONTHLY = ("run", "monthly", "--date", "2026-02-01")
KILL = "between-commits:1:kill"


@pytest.fixture(scope="module")
def s3(request) -> Iterator[dict[str, str]]:
    """Spark's settings for the server; all else, and Spark's credentials, are in the environment."""
    jars, server = request.config.getoption("--s3-jars"), shutil.which("moto_server")
    if not jars or not server:
        pytest.skip("needs --s3-jars DIR (scripts/fetch_s3_jars.py) and moto_server on the PATH: docs/cluster.md")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url, region = f"http://127.0.0.1:{port}", "us-east-1"
    command = [server, "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            seconds_until(lambda: _made(port, BUCKET), 60)
            with pytest.MonkeyPatch.context() as patch:
                for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
                    patch.setenv(f"AWS_{name}", "test")
                for name, value in {"ENDPOINT_URL": url, "ALLOW_HTTP": "true", "REGION": region}.items():
                    patch.setenv(f"AWS_{name}", value)
                yield {
                    "spark.driver.extraClassPath": f"{Path(jars).absolute()}/*",
                    "spark.hadoop.fs.s3a.endpoint": url,
                    "spark.hadoop.fs.s3a.endpoint.region": region,
                    "spark.hadoop.fs.s3a.path.style.access": "true",
                }
        finally:
            process.terminate()


def _made(port: int, bucket: str) -> bool:
    """Is there the bucket? False while the server starts."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("PUT", f"/{bucket.rpartition('/')[2]}")
        return connection.getresponse().status == 200
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


def run(world: Path, lake: Path | str, *arguments: str, **settings: str) -> Held:
    """What the lake holds after a command."""
    code, said = Command(world, lake, *arguments, **settings).end(900)
    assert code == 0, said
    return held(lake)


@pytest.fixture(scope="module")
def world(s3, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("object-store")
    code, said = Command(folder, folder / "lake", *SIMULATE, "--out", str(folder / "feed")).end()
    assert code == 0, said
    return folder


def steps(world: Path) -> dict[str, tuple[str, ...]]:
    ingest = ("ingest", "--source", "canonical", "--path", str(world / "feed"))
    return {"ingest": ingest, "daily": DAILY, "monthly": MONTHLY}


@pytest.fixture(scope="module")
def local(world) -> dict[str, Held]:
    """What each step makes of a lake in a folder and, in a folder of the step's name, a copy of it then."""
    found = {}
    for name, step in steps(world).items():
        found[name] = run(world, world / "lake", *step)
        copy(world / "lake", world / name)
    return found


def test_each_step_makes_of_a_lake_on_s3_what_it_makes_of_a_folder(world, local, s3):
    for name, step in steps(world).items():
        assert run(world, f"{BUCKET}/lake", *step, **s3) == local[name], name
    assert len({table for table, _, _ in local["monthly"]}) > 10


def test_sigkill_on_s3_and_the_command_again(world, local, s3):
    """Tables of the killed job are already half changed. The lake was moved there from a folder, by copying files."""
    lake = f"{BUCKET}/killed"
    files, path = filesystem(lake)
    pafs.copy_files(str(world / "ingest"), path, source_filesystem=pafs.LocalFileSystem(), destination_filesystem=files)
    assert held(lake) == local["ingest"]
    command = Command(world, lake, *DAILY, fault=KILL, **s3)
    assert command.end()[0] == -signal.SIGKILL
    assert command.fired == [KILL]
    assert held(lake) not in (local["ingest"], local["daily"])  # it can be read
    assert not Store(lake).exists(PUBLISHED_RUNS.name)
    assert run(world, lake, *DAILY, **s3) == local["daily"]
