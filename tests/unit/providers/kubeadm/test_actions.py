"""What actions do where machines, or what lies between, are not as they should be."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from providers.hosts.marker import Marker
from providers.kubeadm import init, join, pods, services
from providers.kubeadm.plan import MADE_BY, Bootstrap, ClusterPlan
from providers.kubeadm.site import Site, Supplies
from providers.testing import FakeNode, FolderBinaries, make_context
from tests.support.fake_api import write_kubeconfig
from tests.support.http_server import running
from upload.errors import CommandError, StepError


def site_of(
    folder: Path, node: FakeNode, *, server: str = "", seconds: float = 20.0, manifest: Path | None = None
) -> Site:
    """Return a cluster of one machine."""
    context = make_context(folder, FolderBinaries(folder, "v1.36.3"), seconds=seconds)
    plan = ClusterPlan("v1.36.3", "a:6443", "10.244.0.0/16", "127.0.0.0/16", manifest=manifest)
    marker = Marker(node, context.run, context.deadline)
    supplies = Supplies(context.binaries, context.binaries)
    return Site(plan, context, {node.name: marker}, supplies, server, Bootstrap("abcdef", "0" * 16, "k"))


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_an_api_server_behind_a_jump_host_is_told(tmp_path: Path) -> None:
    server = f"127.0.0.1:{closed_port()}"
    admin = json.loads(write_kubeconfig(tmp_path).read_text())
    node = FakeNode("cp1", "control-plane", answers={f"cat {init.ADMIN}": yaml.safe_dump(admin)})

    with pytest.raises(StepError) as caught:
        init.fetch_kubeconfig(site_of(tmp_path / "c1", node, server=server, seconds=0.5))

    said = f"Kubeconfig: the API server cannot be reached from here at {server}, which all that follows needs: "
    assert str(caught.value).startswith(said)
    assert caught.value.hint == f"curl --insecure https://{server}/readyz"


def test_a_manifest_is_applied_again_while_its_own_kinds_are_new(tmp_path: Path) -> None:
    manifest = tmp_path / "net.yaml"
    manifest.write_text("kind: Network\n")
    apply = " ".join(init.KUBECTL) + " apply"
    unknown = CommandError((init.KUBECTL[0],), 1, 'no matches for kind "Network"', node="cp1")
    node = FakeNode("cp1", "control-plane", answers={apply: [unknown, ""]})

    pods.connect(site_of(tmp_path / "c1", node, manifest=manifest))

    words = ("apply", "--server-side", "--force-conflicts", "--filename", "-")
    assert node.ran == [((*init.KUBECTL, *words), b"kind: Network\n")] * 2


def test_a_dead_kube_proxy_ends_the_wait(tmp_path: Path) -> None:
    def run(argv: Any, _stdin: bytes) -> str:
        short = [*argv[:-2], str(closed_port()), "1"]
        done = subprocess.run(short, capture_output=True, text=True, timeout=60, check=False)
        raise CommandError(argv, done.returncode, done.stderr, node="w1")

    node = FakeNode("cp1", "control-plane", answers={"sh -c": run})

    with pytest.raises(StepError, match=r"the API server does not answer at 127\.0\.0\.1:[0-9]+, where kube-proxy has"):
        services.wait(site_of(tmp_path / "c1", node))


@contextmanager
def api_with_tokens(descriptions: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Serve Secrets of bootstrap tokens; give the address, and the names that were deleted."""
    deleted: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            items = [
                {"metadata": {"name": name}, "data": {"description": base64.b64encode(text.encode()).decode()}}
                for name, text in descriptions.items()
            ]
            self.answer({"kind": "SecretList", "metadata": {}, "items": items})

        def do_DELETE(self) -> None:
            deleted.append(self.path.rpartition("/")[2])
            self.answer({"kind": "Status"})

        def answer(self, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}", deleted


def test_tokens_of_killed_calls_are_taken_back_and_others_stay(tmp_path: Path) -> None:
    tokens = {"bootstrap-token-aaaaaa": MADE_BY, "bootstrap-token-bbbbbb": "mine", "bootstrap-token-abcdef": MADE_BY}
    with api_with_tokens(tokens) as (address, deleted):
        site = site_of(tmp_path / "c1", FakeNode("cp1", "control-plane"))
        write_kubeconfig(tmp_path / "c1", address)

        join.close(site)

    assert deleted == ["bootstrap-token-aaaaaa", "bootstrap-token-abcdef", "kubeadm-certs"]
