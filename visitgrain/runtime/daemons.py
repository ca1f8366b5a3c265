"""Starts, finds and ends the processes of a standalone cluster: its own only, ready or failed with the reason."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pyspark

from visitgrain.errors import InputMissing, JobFailed
from visitgrain.runtime.standalone import Daemon, Layout

SPARK_HOME = Path(pyspark.__file__).parent
PATIENCE_S = 150.0  # a master gives workers that do not answer a minute before it leads
GRACE_S = 20.0
POLL_S = 0.2
LOG_LINES = 12
# Nobody waits for a daemon; its number is on file from the moment it is one.
DETACHED = 'pid=$1 log=$2; shift 2; "$@" >"$log" 2>&1 & echo $! >"$pid"'
# Of the caller's environment: what may be a secret there is none of the executors' business.
INHERITED = ("PATH", "HOME", "JAVA_HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


@dataclass(frozen=True)
class State:
    """A daemon and the process that runs it; None = none does."""

    daemon: Daemon
    pid: int | None


class Daemons:
    """The processes of one cluster folder."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def start(self, *names: str) -> list[State]:
        """Start what does not run yet (of `names`, all by default) and wait until it answers.

        Raises JobFailed, with the end of its log, when one ends or does not answer; what did start stays.
        """
        self.layout.prepare()
        with self._one_at_a_time():
            if not any(state.pid for state in self.states()):
                self._forget()
            wanted = [state for state in self.states() if not names or state.daemon.name in names]
            # The master by itself: a worker that comes while it still recovers is forgotten when it is done.
            for group in (wanted[:1], wanted[1:]):
                for state in group:
                    if state.pid is None:
                        self._launch(state.daemon)
                for state in group:
                    self._await(state.daemon)
        return self.states()

    def stop(self) -> list[State]:
        """End what runs, workers first: SIGTERM, and SIGKILL to its process group after GRACE_S. What it was."""
        if not self.layout.folder.is_dir():
            return []
        with self._one_at_a_time():
            # By PID files: settings may name fewer workers now.
            running = [(file, pid) for file in sorted(self._pid_files(), reverse=True) if (pid := self._pid(file))]
            for _, pid in running:
                os.kill(pid, signal.SIGTERM)
            for file, pid in running:
                if not _until(partial(self._has_ended, file), GRACE_S):
                    os.killpg(os.getpgid(pid), signal.SIGKILL)
            for file in self._pid_files():
                file.unlink()
            self._forget()
        return [State(Daemon(file.stem, "", (), ()), pid) for file, pid in running]

    def states(self) -> list[State]:
        return [State(daemon, self._pid(self._pid_file(daemon.name))) for daemon in self.layout.daemons]

    def summary(self) -> dict[str, Any]:
        """What the master says of itself: workers, cores, activeapps, … Raises InputMissing when it does not answer."""
        said = self.page(self.layout.daemons[0], "/json/")
        if said is None:
            raise InputMissing(f"{self.layout.master_url}: no master answers; start it: visitgrain cluster start")
        found: dict[str, Any] = json.loads(said)
        return found

    def page(self, daemon: Daemon, path: str) -> str | None:
        """A page of a daemon; None when it does not answer with one."""
        connection = HTTPConnection(self.layout.settings.host, daemon.ports[-1], timeout=10)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.layout.page_token()}"})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()
        return text if answer.status == 200 else None

    def log(self, daemon: Daemon) -> Path:
        return self.layout.folder / "logs" / f"{daemon.name}.log"

    def _launch(self, daemon: Daemon) -> None:
        """In a session of its own: it outlives the terminal, and its executors can be ended with it."""
        files = [str(self._pid_file(daemon.name)), str(self.log(daemon))]
        subprocess.run(
            ["/bin/sh", "-c", DETACHED, "sh", *files, *self._command(daemon)],
            cwd=self.layout.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            umask=0o077,
            check=True,
        )

    def _command(self, daemon: Daemon) -> list[str]:
        properties = str(self.layout.daemon_properties)
        return [
            str(SPARK_HOME / "bin" / "spark-class"),
            daemon.main,
            "--properties-file",
            properties,
            *daemon.arguments,
        ]

    def _environment(self) -> dict[str, str]:
        return {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "SPARK_HOME": str(SPARK_HOME),
            "SPARK_CONF_DIR": str(self.layout.folder),  # no spark-env.sh of another installation
            "SPARK_LOCAL_IP": self.layout.settings.host,
            "SPARK_LOCAL_DIRS": str(self.layout.folder / "local"),
            "SPARK_DAEMON_MEMORY": f"{self.layout.settings.daemon_memory_mb}m",
            "SPARK_DAEMON_JAVA_OPTS": "-XX:+UseSerialGC",  # idle most of the time
        }

    def _await(self, daemon: Daemon) -> None:
        kind = daemon.name.partition("-")[0]
        ready = {"master": self._leads, "worker": self._has_registered}.get(kind, self._shows_pages)
        file = self._pid_file(daemon.name)
        if _until(lambda: self._has_ended(file) or ready(daemon), PATIENCE_S) and not self._has_ended(file):
            return
        found = "ended" if self._has_ended(file) else f"does not answer after {PATIENCE_S:g} s"
        log = self.log(daemon)
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])
        ports = ", ".join(map(str, daemon.ports))
        raise JobFailed(
            f"{daemon.name} (ports {ports}) {found}; the end of {log}:\n{tail}\n"
            "When a port is taken, set another first_port in conf/standalone.yaml; "
            "`visitgrain cluster stop` ends what did start"
        )

    def _shows_pages(self, daemon: Daemon) -> bool:
        return self.page(daemon, "/") is not None

    def _leads(self, daemon: Daemon) -> bool:
        said = self.page(daemon, "/json/")
        return said is not None and json.loads(said)["status"] == "ALIVE"

    def _has_registered(self, daemon: Daemon) -> bool:
        said = self.page(self.layout.daemons[0], "/json/")
        workers = json.loads(said)["workers"] if said else []
        return any(worker["port"] == daemon.ports[0] and worker["state"] == "ALIVE" for worker in workers)

    def _forget(self) -> None:
        """What a master would recover. Without any daemon there is nothing to: it would wait for workers that are not,
        and lose the new ones on the same ports."""
        for file in (self.layout.folder / "recovery").glob("*"):
            file.unlink()

    def _pid_file(self, name: str) -> Path:
        return self.layout.folder / f"{name}.pid"

    def _pid_files(self) -> list[Path]:
        return list(self.layout.folder.glob("*.pid"))

    def _pid(self, file: Path) -> int | None:
        """The process of a PID file, when it still is one of this cluster: numbers are given out again."""
        try:
            pid = int(file.read_text())
        except (OSError, ValueError):
            return None
        command = _command_line(pid)
        if not command and _exists(pid):  # in the middle of an exec it has none
            time.sleep(POLL_S)
            command = _command_line(pid)
        return pid if str(self.layout.daemon_properties) in command else None

    def _has_ended(self, file: Path) -> bool:
        return self._pid(file) is None

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with (self.layout.folder / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:  # nor when it is somebody else's
        return False
    return True


def _command_line(pid: int) -> str:
    """Empty for a process that is not there (or has ended and waits for its parent)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        if Path("/proc/self").exists():
            return ""
    told = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return told.stdout


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(POLL_S)
    return condition()
