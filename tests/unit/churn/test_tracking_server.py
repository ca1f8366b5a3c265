"""`visitgrain mlflow`: a login, this machine only, and models through it; over SQLite, and PostgreSQL where it is."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from tests.unit.churn.training_world import small_settings, small_training_data
from visitgrain.catalogue.churn import Tracking
from visitgrain.churn.model import ChurnModel
from visitgrain.churn.reporting import log_trained
from visitgrain.churn.tracking import CHALLENGER, aliased, registered, tracked
from visitgrain.churn.training import trained
from visitgrain.cli import main
from visitgrain.errors import GateRefused

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
PATIENCE_S = 240  # MLflow is imported three times on the way
ASK = "/api/2.0/mlflow/experiments/search?max_results=1"
DATA = small_training_data()
ABOUT = {"label_channel": "app", "versions": {}, "counts": DATA.counts, "lake": "lake"}


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]


def status(port: int, login: str | None = None, host: str | None = None, path: str = ASK) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if login:
        request.add_header("Authorization", f"Basic {b64encode(login.encode()).decode()}")
    if host:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Served:
    """A server that was started: its port, its folder and the login of its user."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    @property
    def password(self) -> str:
        return (self.folder / "secrets" / "mlflow_admin_password").read_text().strip()

    @property
    def tracking(self) -> Tracking:
        return Tracking(uri=f"http://127.0.0.1:{self.port}", run_id="r1", lake="lake", versions={})


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Served]:
    port = free_port()
    command = [sys.executable, "-m", "visitgrain.cli", "--set", f"mlflow_uri=sqlite:///{folder}/mlflow.db", "mlflow"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--secrets", str(folder / "secrets"), *options],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline, (folder / "server.log").read_text()
            try:
                status(port)
                break
            except OSError:
                time.sleep(0.5)
        yield Served(folder, port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def login(server, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", server.password)


def test_without_the_login_nobody_gets_in(server):
    assert status(server.port) == 401
    assert status(server.port, "admin:guess") == 401
    assert status(server.port, f"admin:{server.password}") == 200


def test_another_host_name_is_refused(server):
    assert status(server.port, f"admin:{server.password}", host="evil.example") == 403


def test_it_listens_on_this_machine_only(server):
    """/proc/net: local address and port in hex, state 0A = listening."""
    wanted = f":{server.port:04X}"
    listening = [
        parts[1].split(":")[0]
        for name in ("tcp", "tcp6")
        for parts in map(str.split, Path(f"/proc/net/{name}").read_text().splitlines()[1:])
        if parts[1].endswith(wanted) and parts[3] == "0A"
    ]
    assert listening == ["0100007F"]


def test_secrets_are_their_owners_and_in_no_log_or_command_line(server):
    for name in ("mlflow_admin_password", "mlflow_session_key", "mlflow_users.db"):
        assert stat.S_IMODE((server.folder / "secrets" / name).stat().st_mode) == 0o600, name
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in lines if server.password.encode() in line]
    assert server.password not in (server.folder / "server.log").read_text()


def log_and_load(tracking: Tracking) -> tuple[np.ndarray, ChurnModel]:
    """Scores of a model that is logged and registered through the server, and what comes back from there."""
    settings = small_settings(learners=("logistic",))
    with tracked(tracking) as client:
        import mlflow

        (one,) = trained(None, DATA, settings, trials=0, about=ABOUT)
        with mlflow.start_run(run_name="one"):
            uri = log_trained(one, DATA, {"month": "2026-01"})
        registered(client, uri, "note", {"month": "2026-01"})
        found, version = aliased(client, CHALLENGER)
    assert version == "1"
    return one.evaluation.scores, found


def test_a_model_goes_in_and_out_with_the_login_of_the_environment(server, login):
    scores, found = log_and_load(server.tracking)
    assert (found.score(DATA.testing.x) == scores).all()
    with tracked(Tracking(uri=f"sqlite:///{server.folder}/mlflow.db", run_id="r2", lake="lake", versions={})) as client:
        beside, _ = aliased(client, CHALLENGER)  # jobs that open the file itself see the same
    assert (beside.score(DATA.testing.x) == scores).all()


def test_a_user_sees_nothing_until_it_is_granted(server, login):
    from mlflow.server.auth.client import AuthServiceClient

    with tracked(server.tracking):
        admin = AuthServiceClient(server.tracking.uri)
        admin.create_user("ann", "a long password")
    asked = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=churn"
    assert status(server.port, f"admin:{server.password}", path=asked) == 200
    assert status(server.port, "ann:a long password", path=asked) == 403


def test_a_client_without_the_login_is_refused(server, monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(GateRefused, match=r"does not answer.*401"), tracked(server.tracking):
        pass


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "mlflow_uri=http://127.0.0.1:5000", "mlflow"], "is a server already"),
        (["mlflow", "--store", "postgresql:///mlflow"], "--artifacts"),
    ],
)
def test_what_cannot_be_served(options, told, capsys):
    with pytest.raises(SystemExit) as left:
        main(options)
    assert left.value.code == 3
    assert told in capsys.readouterr().err


def test_a_password_that_others_can_read_is_refused(tmp_path, capsys):
    path = tmp_path / "mlflow_admin_password"
    path.write_text("known to all\n")
    path.chmod(0o644)
    with pytest.raises(SystemExit) as left:
        main(["--set", f"mlflow_uri=sqlite:///{tmp_path}/mlflow.db", "mlflow", "--secrets", str(tmp_path)])
    assert left.value.code == 3
    assert "0644 lets others read it" in capsys.readouterr().err


@pytest.fixture
def postgres(tmp_path) -> Iterator[str]:
    """A database server of this test, on a socket in its folder; PostgreSQL does not run as root."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("no PostgreSQL on this machine")
    pytest.importorskip("psycopg")
    folder = Path(f"/tmp/visitgrain-pg-{os.getpid()}")  # a socket's path has at most 107 bytes
    folder.mkdir(mode=0o700)
    who = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    if who:
        shutil.chown(folder, "postgres", "postgres")

    def call(*command: str) -> None:
        done = subprocess.run([*who, *command], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stdout + done.stderr

    data = ["-D", str(folder / "data")]
    try:
        call("initdb", *data, "--auth=trust", "--username=mlflow", "--no-sync")
        started = ["-l", str(folder / "log"), "-o", f"-c listen_addresses='' -k {folder} -c fsync=off", "-w", "start"]
        call("pg_ctl", *data, *started)
        try:
            yield f"postgresql://mlflow@/postgres?host={folder}"
        finally:
            call("pg_ctl", *data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def test_over_postgresql_models_go_through_the_server(postgres, tmp_path, monkeypatch):
    artifacts = tmp_path / "models"
    with serving(tmp_path, "--store", postgres, "--artifacts", str(artifacts)) as server:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", server.password)
        scores, found = log_and_load(server.tracking)
    assert (found.score(DATA.testing.x) == scores).all()
    assert list(artifacts.rglob("churn_model.json"))
    assert not (tmp_path / "mlflow.db").exists()
