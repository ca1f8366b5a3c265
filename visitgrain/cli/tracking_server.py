"""`mlflow`: the tracking server over the runs and models of the settings, for this machine only and behind a login."""

from __future__ import annotations

import os
import secrets as chance
import stat
import sys
from pathlib import Path

import click

from visitgrain.errors import ConfigError
from visitgrain.runtime.context import Context

ADMIN = "admin"
HOST = "127.0.0.1"
# Of the login: nobody sees what they were not granted. Passwords are checked once a minute, not with every request.
LOGIN = """\
[mlflow]
default_permission = NO_PERMISSIONS
database_uri = sqlite:///{users}
admin_username = {admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


@click.command("mlflow")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@click.option("--store", help="Database of runs and models; without it mlflow_uri of the settings.")
@click.option("--artifacts", type=click.Path(path_type=Path), help="Folder of models and figures.")
@click.option(
    "--secrets",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("secrets"),
    show_default=True,
    help="Folder of the password, the users and the session key.",
)
@click.pass_obj
def mlflow_server(context: Context, port: int, store: str | None, artifacts: Path | None, secrets: Path) -> None:
    """Start MLflow's pages on this machine; the password of `admin` is in secrets/mlflow_admin_password."""
    from visitgrain.churn.tracking import SAFE, SERVED, SQLITE, artifact_folder

    uri = store or context.settings.mlflow_uri
    if uri.startswith(SERVED):
        raise ConfigError(f"mlflow_uri: {uri} is a server already; name its database: visitgrain mlflow --store URI")
    if artifacts is None:
        if not uri.startswith(SQLITE):
            raise ConfigError("--artifacts: a database of its own machine needs a folder for models and figures")
        artifacts = artifact_folder(uri)
    told = _environment(secrets.absolute())
    click.echo(f"http://{HOST}:{port} (user {ADMIN}, password in {secrets / 'mlflow_admin_password'}); Ctrl-C ends it")
    sys.stdout.flush()
    arguments = _arguments(port, artifacts.absolute(), proxied=not uri.startswith(SQLITE))
    # The store may name a user; the environment is read by its owner alone, a command line by everybody.
    environment = {**os.environ, **SAFE, **told, "MLFLOW_BACKEND_STORE_URI": uri}
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", *arguments], environment)


def _arguments(port: int, artifacts: Path, *, proxied: bool) -> list[str]:
    """Jobs that open an embedded database themselves find its artifacts in the same folder; other clients of a
    server may be elsewhere, and send them through it."""
    served = ["--serve-artifacts", "--artifacts-destination", artifacts.as_uri()]
    beside = ["--no-serve-artifacts", "--default-artifact-root", artifacts.as_uri()]
    names = f"localhost:{port},{HOST}:{port}"
    return [
        *("server", "--host", HOST, "--port", str(port), "--workers", "1", "--app-name", "basic-auth"),
        *("--allowed-hosts", names),
        *(served if proxied else beside),
    ]


def _environment(folder: Path) -> dict[str, str]:
    """What the login needs; made on first use. The password is that of the first start until it is changed there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    login = folder / "mlflow_login.ini"
    users = folder / "mlflow_users.db"
    login.write_text(LOGIN.format(users=users, admin=ADMIN), encoding="utf-8")
    users.touch(mode=0o600)
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(login),
        "MLFLOW_AUTH_ADMIN_PASSWORD": _secret(folder / "mlflow_admin_password"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": _secret(folder / "mlflow_session_key"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _secret(path: Path) -> str:
    """The text of a file that only its owner can read; made of 24 random bytes where there is none yet."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(chance.token_urlsafe(24) + "\n")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(f"{path}: mode {mode:04o} lets others read it; allowed is 0600: chmod 600 {path}")
    return path.read_text(encoding="utf-8").strip()
