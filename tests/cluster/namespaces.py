"""A cluster whose workers live in network namespaces of their own, as if on machines of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from visitgrain.runtime.daemons import Daemons
from visitgrain.runtime.standalone import Daemon, Layout


@dataclass(frozen=True)
class Network:
    """A bridge with the address `host`, and a namespace per worker on the other end of a pair of wires."""

    name: str
    host: str
    subnet: str  # first three numbers of the addresses, from the range for benchmarks (RFC 2544)

    def address(self, worker: int) -> str:
        return f"{self.subnet}.{10 + worker}"

    def namespace(self, worker: int) -> str:
        return f"{self.name}w{worker}"


@contextmanager
def network(workers: int) -> Iterator[Network | None]:
    """None where this machine does not let us."""
    name, subnet = f"vg{os.getpid() % 100_000}", f"198.18.{os.getpid() % 256}"
    made = Network(name, f"{subnet}.1", subnet)
    with ExitStack() as undo:
        try:
            _ip("link add", name, "type bridge")
            undo.callback(_ip, "link del", name)
            _ip("addr add", f"{made.host}/24 dev", name)
            _ip("link set", name, "up")
            for worker in range(1, workers + 1):
                own, here, there = made.namespace(worker), f"{name}a{worker}", f"{name}b{worker}"
                _ip("netns add", own)
                undo.callback(_ip, "netns del", own)  # and its wires with it
                _ip("link add", here, "type veth peer name", there)
                _ip("link set", here, "master", name, "up")
                _ip("link set", there, "netns", own)
                _ip("-n", own, "addr add", f"{made.address(worker)}/24 dev", there)
                for device in (there, "lo"):
                    _ip("-n", own, "link set", device, "up")
        except (OSError, subprocess.CalledProcessError):
            made = None
        yield made


class Spread(Daemons):
    """Starts each worker in its namespace, on its own address."""

    def __init__(self, layout: Layout, net: Network) -> None:
        super().__init__(layout)
        self.net = net

    def _command(self, daemon: Daemon) -> list[str]:
        kind, _, number = daemon.name.partition("-")
        if kind != "worker":
            return super()._command(daemon)
        own = self.net.address(int(number))
        told = tuple(own if value == self.net.host else value for value in daemon.arguments)
        inside = ["ip", "netns", "exec", self.net.namespace(int(number)), "env", f"SPARK_LOCAL_IP={own}"]
        return [*inside, *super()._command(replace(daemon, arguments=told))]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *" ".join(words).split()], check=True, capture_output=True)
