"""haproxy on a real host, in front of servers on this machine that answer as API servers do."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from providers.hosts.marker import Marker
from providers.hosts.preflight import Wanted
from providers.hosts.taking import take
from providers.kubeadm.balancer import PORT, UNIT, serve_endpoint
from tests.hosts.clusters import differences, states
from tests.hosts.test_pod_network import FOUR, OWNER, reached, within
from tests.support.http_server import running
from tests.support.lab.fixtures import FreshHosts
from tests.support.lab.labs import Lab
from tests.support.lab.values import LabHost
from upload.errors import StepError

pytestmark = [pytest.mark.hosts, pytest.mark.slow]


class ControlPlane(ThreadingHTTPServer):
    """Answers over TLS: ``/readyz`` with the status that a test sets, anything else with its own name."""

    daemon_threads = True

    def __init__(self, name: str, host: str, context: ssl.SSLContext) -> None:
        super().__init__((host, 0), Answer)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.name = name
        self.readyz = 200

    @property
    def address(self) -> str:
        return f"{self.server_address[0]!s}:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: connections end as the test ends."""


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ControlPlane

    def do_GET(self) -> None:
        self.send_response(self.server.readyz if self.path == "/readyz" else 200)
        self.send_header("Content-Length", str(len(self.server.name)))
        self.end_headers()
        self.wfile.write(self.server.name.encode())

    def log_message(self, *_words: object) -> None:
        """Write nothing."""


@contextmanager
def control_planes(lab: Lab, folder: Path, *names: str) -> Iterator[Mapping[str, ControlPlane]]:
    words = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x")
    files = ("-keyout", str(folder / "key"), "-out", str(folder / "certificate"))
    subprocess.run(["openssl", *words, *files], check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    with ExitStack() as stack:
        servers = {name: ControlPlane(name, str(lab.names.gateway), context) for name in names}
        for server in servers.values():
            stack.enter_context(running(server))
        yield servers


@contextmanager
def taken(lab: Lab, folder: Path, hosts: tuple[LabHost, ...]) -> Iterator[Marker]:
    with reached(folder, hosts, FOUR) as nodes:
        before = states(lab, hosts)
        marker = take(nodes, OWNER, deadline=within(), wanted=Wanted())[hosts[0].name]
        yield marker
        marker.give_back()
    left = differences(before, states(lab, hosts))
    assert left == [], "\n".join(left)


def connected(host: LabHost) -> http.client.HTTPSConnection:
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host.address, PORT, timeout=5, context=anybody)


def who(connection: http.client.HTTPSConnection) -> str:
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def who_answer(host: LabHost, calls: int = 8) -> set[str]:
    answers = set()
    for _ in range(calls):
        connection = connected(host)
        try:
            answers.add(who(connection))
        except OSError:
            answers.add("nobody")
        finally:
            connection.close()
    return answers


def eventually(is_so: Callable[[], bool], seconds: float = 40.0) -> None:
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, "it did not come about"
        time.sleep(0.2)


def addresses(servers: Mapping[str, ControlPlane], *names: str) -> dict[str, str]:
    return {name: servers[name].address for name in names}


def test_connections_go_to_control_planes_that_are_ready(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(1)
    with (
        control_planes(host_lab, tmp_path, "cp1", "cp2", "cp3") as servers,
        taken(host_lab, tmp_path, hosts) as marker,
    ):
        servers["cp2"].readyz = 500
        serve_endpoint(marker, addresses(servers, "cp1", "cp2"))
        eventually(lambda: who_answer(hosts[0]) == {"cp1"})
        servers["cp2"].readyz = 401  # it takes no anonymous requests
        eventually(lambda: who_answer(hosts[0]) == {"cp1", "cp2"})

        changes, worker = marker.changes(), workers(marker)
        serve_endpoint(marker, addresses(servers, "cp1", "cp2"))
        assert (marker.changes(), workers(marker)) == (changes, worker), "nothing changed, and nothing was reloaded"

        kept = connected(hosts[0])
        before = who(kept)
        serve_endpoint(marker, addresses(servers, "cp1", "cp2", "cp3"))
        eventually(lambda: who_answer(hosts[0]) == {"cp1", "cp2", "cp3"})
        assert who(kept) == before, "a connection stays as it is"
        kept.close()

        servers["cp1"].shutdown()
        servers["cp1"].server_close()
        eventually(lambda: who_answer(hosts[0]) == {"cp2", "cp3"})

        host_lab.stop("h1")
        host_lab.start("h1")
        eventually(lambda: who_answer(hosts[0]) == {"cp2", "cp3"})


def workers(marker: Marker) -> str:
    return marker.command("looking", "pgrep", "-x", "haproxy")


@pytest.mark.full
def test_a_port_that_is_taken_is_said_with_haproxys_own_words(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    with taken(host_lab, tmp_path, fresh_hosts(1)) as marker:
        marker.command("taking", "systemd-run", "-q", "-G", "-u", "taker", "socat", f"TCP-LISTEN:{PORT},fork", "-")
        with pytest.raises(StepError, match=rf"Endpoint of the control planes on h1: .*\[ALERT\].*:{PORT}"):
            serve_endpoint(marker, {"cp1": "192.0.2.1:6443"})
        marker.command("leaving", "systemctl", "stop", "taker")

        serve_endpoint(marker, {"cp1": "192.0.2.1:6443"})
        assert marker.command("looking", "systemctl", "is-active", UNIT) == "active\n"
        with socket.create_connection((marker.node.addresses[0], PORT), timeout=5):
            pass


@pytest.mark.full
def test_where_haproxy_cannot_be_installed_the_way_around_is_told(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(1)
    host_lab.run("h1", "dpkg --purge haproxy >/dev/null 2>&1; rm -rf /etc/haproxy")
    with taken(host_lab, tmp_path, hosts) as marker:
        with pytest.raises(StepError, match="on h1: haproxy cannot be installed: ") as caught:
            serve_endpoint(marker, {"cp1": "192.0.2.1:6443"})
        assert "control_plane_endpoint" in caught.value.hint
