"""The cluster as shipped lets nobody in who does not know its secret."""

from __future__ import annotations

import os
import re
import socket
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.cluster.conftest import answer, first_answer, seconds_until
from visitgrain.runtime.standalone import Layout

pytestmark = [pytest.mark.faults, pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")]
LISTENS = "0A"


def listening(*pids: int) -> set[tuple[str, int]]:
    """Addresses and ports on which the processes listen."""
    owned = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                owned |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))
            except FileNotFoundError:  # closed since
                continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == LISTENS and inode in owned:
                host, port = local.split(":")
                found.add((_address(host), int(port, 16)))
    return found


def _address(text: str) -> str:
    """The kernel writes addresses as words in the machine's (little-endian) order."""
    raw = b"".join(bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8))
    address = ip_address(raw)
    return str(getattr(address, "ipv4_mapped", None) or address)


def test_the_scan_sees_a_port_that_is_open_to_all():
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert ("0.0.0.0", server.getsockname()[1]) in listening(os.getpid())


def test_only_the_expected_ports_are_open_and_only_on_loopback(cluster):
    states = cluster.states()
    expected = {("127.0.0.1", port) for state in states for port in state.daemon.ports}
    assert listening(*(state.pid for state in states)) == expected
    assert 6066 not in {port for _, port in expected}


def test_secrets_are_not_on_command_lines(cluster, cluster_run):
    """Neither of the daemons, nor of drivers and executors (in what the workers logged of their launch)."""
    folder = cluster.layout.folder
    lines = [Path(f"/proc/{state.pid}/cmdline").read_bytes() for state in cluster.states()]
    launches = [path.read_bytes() for path in (folder / "logs").glob("worker-*.log")]
    assert any(b"Launch command" in text for text in launches)
    for name in ("secret", "page_key"):
        secret = (folder / name).read_bytes().strip()
        everything = [path.read_bytes() for path in folder.rglob("*") if path.parent.name in ("logs", "events")]
        assert not [text for text in [*lines, *launches, *everything] if secret in text]


def test_pages_want_a_token_of_this_cluster(cluster, tmp_path):
    good = cluster.layout.page_token()
    foreign = Layout(cluster.layout.settings, tmp_path / "other").page_token()
    for daemon in cluster.layout.daemons:
        pages = daemon.ports[-1]
        said = [answer(pages, "/", token=token) for token in (None, foreign, good)]
        assert said == [403, 403, 200], daemon.name


@pytest.mark.parametrize(
    ("secret", "said"), [(None, "Unknown challenge message"), ("guessed", "Authentication failed")]
)
def test_a_client_without_the_secret_is_turned_away(cluster, tmp_path, secret, said):
    """It would go on trying for a minute: its first answer will do. The control is the same client with the secret."""
    known = cluster.layout.client_properties.read_text()
    told = re.sub(r"(spark\.authenticate\.secret) .*", rf"\1 {secret}", known)
    if secret is None:
        told = re.sub(r"(?m)^spark\.(authenticate|network|io).*\n", "", known)
    for properties, expected in ((told, said), (known, "ANSWER 10")):
        found = first_answer(cluster, tmp_path, properties, ("ANSWER 10", said))
        assert found == expected
    assert cluster.summary()["activeapps"] == []


def test_nobody_ends_an_application_or_a_worker_from_a_page(cluster, submitted):
    """With a good token: the pages that would do it are off, too."""
    run, token, pages = submitted(), cluster.layout.page_token(), cluster.layout.daemons[0].ports[-1]
    seconds_until(lambda: cluster.summary()["coresused"] == 2, 120)
    app = cluster.summary()["activeapps"][0]["id"]
    kills = (f"/app/kill/?id={app}&terminate=true", "/driver/kill/?id=driver-1&terminate=true", "/workers/kill/")
    for path in kills:
        assert answer(pages, path, token=token, method="POST") >= 400, path
    assert run.wait() == 0, run.log.read_text()
    assert cluster.summary()["aliveworkers"] == 2
