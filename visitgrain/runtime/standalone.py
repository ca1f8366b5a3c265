"""What a standalone Spark cluster on this machine is made of: its settings, ports, secrets and property files."""

from __future__ import annotations

import base64
import getpass
import hmac
import json
import os
import secrets
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import Field

from visitgrain.catalogue.yaml_file import Strict, parse

FILE = "standalone.yaml"
TOKEN_HOURS = 12
# Who knows the secret gets in and nobody else; what goes over a wire or to a disk between tasks is encrypted.
# By default Spark's cipher (CTR) does not notice changed bytes, its handshake (version 1) derives no key, and clients
# may fall back to SASL.
GUARDED = {
    "spark.authenticate": "true",
    "spark.network.crypto.enabled": "true",
    "spark.network.crypto.cipher": "AES/GCM/NoPadding",
    "spark.network.crypto.authEngineVersion": "2",
    "spark.network.crypto.saslFallback": "false",
    "spark.io.encryption.enabled": "true",
    "spark.acls.enable": "true",
    "spark.ui.killEnabled": "false",
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|hmac|salt|credential|private",
}
PAGES_FILTER = "org.apache.spark.ui.JWSFilter"


class Standalone(Strict):
    """conf/standalone.yaml."""

    host: str = Field(description="address all daemons listen on")
    first_port: int = Field(ge=0, le=65000, description="first of 3 + 2 × workers ports; 0 = free ones")
    workers: int = Field(ge=1, le=64)
    worker_cores: int = Field(ge=1)
    worker_memory_mb: int = Field(ge=512, description="heap of a worker's executor")
    daemon_memory_mb: int = Field(ge=128, description="heap of each daemon")
    folder: str = Field(description="all that the cluster keeps; relative to where the command is run")


@dataclass(frozen=True)
class Daemon:
    """One process: the class it runs, what it is told, and the ports it listens on, its pages' last."""

    name: str
    main: str
    arguments: tuple[str, ...]
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Where things are. Nothing is made before it is asked for; `folder` is absolute."""

    settings: Standalone
    folder: Path

    @classmethod
    def of(cls, conf: Path) -> Layout:
        """Raises ConfigError when conf/standalone.yaml is not valid."""
        settings = parse(Standalone, conf / FILE, label=f"conf/{FILE}")
        return cls(settings, Path(settings.folder).absolute())

    @cached_property
    def ports(self) -> tuple[int, ...]:
        """Of master, its pages, history's pages, and two of each worker. Free ones stay what they were once chosen."""
        count = 3 + 2 * self.settings.workers
        if self.settings.first_port:
            return tuple(range(self.settings.first_port, self.settings.first_port + count))
        file = self._home() / "ports.json"
        known = json.loads(file.read_text()) if file.exists() else []
        if len(known) < count:
            known += _free_ports(self.settings.host, count - len(known))
            file.write_text(json.dumps(known))
        return tuple(known[:count])

    @property
    def master_url(self) -> str:
        return f"spark://{self.settings.host}:{self.ports[0]}"

    @property
    def daemon_properties(self) -> Path:
        return self.folder / "daemons.properties"

    @property
    def client_properties(self) -> Path:
        """What lets a driver in: `spark-submit.sh --load-spark-defaults` takes it."""
        return self.folder / "client.properties"

    @property
    def event_logs(self) -> Path:
        return self.folder / "events"

    @property
    def daemons(self) -> tuple[Daemon, ...]:
        """In the order in which they start."""
        host, ports = self.settings.host, self.ports
        size = ("--cores", str(self.settings.worker_cores), "--memory", f"{self.settings.worker_memory_mb}m")

        def listening(port: int, pages: int) -> tuple[str, ...]:
            return ("--host", host, "--port", str(port), "--webui-port", str(pages))

        workers = []
        for number in range(1, self.settings.workers + 1):
            own = ports[1 + 2 * number : 3 + 2 * number]
            work = ("--work-dir", str(self.folder / "work" / str(number)))
            told = (*listening(*own), *size, *work, self.master_url)
            workers.append(Daemon(f"worker-{number}", "org.apache.spark.deploy.worker.Worker", told, own))
        return (
            Daemon("master", "org.apache.spark.deploy.master.Master", listening(*ports[:2]), ports[:2]),
            *workers,
            Daemon("history", "org.apache.spark.deploy.history.HistoryServer", (), ports[2:3]),
        )

    def prepare(self) -> None:
        """Makes folders (0700), secrets (0600, on first use) and the two property files (0600)."""
        for name in ("work", "events", "recovery", "logs", "local"):
            _private(self._home() / name)
        secret = {"spark.authenticate.secret": self._secret("secret")}
        _write(self.daemon_properties, {**GUARDED, **secret, **self._of_daemons()})
        _write(self.client_properties, {**GUARDED, **secret, **self._of_clients()})

    def page_token(self) -> str:
        """A bearer token (JWT, HS256) for the pages, good for TOKEN_HOURS."""
        claims = {"sub": getpass.getuser(), "exp": int(time.time()) + TOKEN_HOURS * 3600}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        signing_key = base64.urlsafe_b64decode(self._secret("page_key"))
        return f"{signed}.{_base64url(hmac.digest(signing_key, signed.encode(), 'sha256'))}"

    def _of_daemons(self) -> dict[str, str]:
        logs = self.event_logs.as_uri()
        return {
            "spark.master.rest.enabled": "false",
            "spark.master.ui.decommission.allow.mode": "DENY",
            # A page without a filter lets everybody in, whatever the ACLs say.
            "spark.ui.filters": PAGES_FILTER,
            f"spark.{PAGES_FILTER}.param.secretKey": self._secret("page_key"),
            "spark.deploy.recoveryMode": "FILESYSTEM",
            "spark.deploy.recoveryDirectory": str(self.folder / "recovery"),
            "spark.port.maxRetries": "0",  # a port that is taken is an error, not a reason to take the next
            "spark.worker.cleanup.enabled": "true",
            "spark.history.fs.logDirectory": logs,
            "spark.history.ui.port": str(self.ports[2]),
            "spark.history.ui.acls.enable": "true",
            "spark.history.fs.cleaner.enabled": "true",
            "spark.history.fs.cleaner.maxAge": "30d",
        }

    def _of_clients(self) -> dict[str, str]:
        return {
            "spark.driver.host": self.settings.host,
            "spark.driver.bindAddress": self.settings.host,
            "spark.executor.cores": str(self.settings.worker_cores),
            "spark.executor.memory": f"{self.settings.worker_memory_mb}m",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": self.event_logs.as_uri(),
            "spark.eventLog.rolling.enabled": "false",
            "spark.ui.enabled": "false",  # the history server shows running applications, too
        }

    def _home(self) -> Path:
        return _private(self.folder)

    def _secret(self, name: str) -> str:
        """32 random bytes in base64url, in a file that only its owner reads; made when there is none yet."""
        path = self._home() / name
        if not path.exists():
            _create(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        path.chmod(0o600)
        return path.read_text(encoding="ascii").strip()


def _private(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def _write(path: Path, properties: Mapping[str, str]) -> None:
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    _create(part, "".join(f"{name} {value}\n" for name, value in properties.items()))
    part.replace(path)


def _create(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _free_ports(host: str, count: int) -> list[int]:
    """All of them are held until the last is found, or the system would offer one twice."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server((host, 0))) for _ in range(count)]
        return [int(server.getsockname()[1]) for server in held]


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
