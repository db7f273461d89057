"""A server with the layouts of the official releases, and the faults that real ones have."""

from __future__ import annotations

import hashlib
import io
import json
import ssl
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from providers.releases.programs import PROGRAMS
from providers.releases.sources import Hosts, Platform, Sources
from tests.support.http_server import running

LINUX = Platform("linux", "amd64")
ETCD, KWOK, COREDNS = "v3.6.8", "v0.8.0", "v1.14.2"  # what the pins of the default version say

Fault = Callable[["_Handler", bytes], None]


def script(program: str, version: str, size_bytes: int = 0) -> bytes:
    """Return a small program that tells its name and version, padded to a size."""
    text = f"#!/bin/sh\necho {program} {version}\nexit 0\n".encode()
    return text + b"#" * max(0, size_bytes - len(text))


def packed(members: Mapping[str, bytes]) -> bytes:
    """Return a compressed archive of files."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, body in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return written.getvalue()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@dataclass
class ReleaseServer:
    """What lies where, what goes wrong there, and what was asked for."""

    root: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)
    halfway: threading.Event = field(default_factory=threading.Event)

    @property
    def hosts(self) -> Hosts:
        """Return hosts that look like the official ones."""
        return Hosts(
            kubernetes=self.root,
            etcd=f"{self.root}/etcd-io/etcd/releases/download",
            kwok=f"{self.root}/kubernetes-sigs/kwok/releases/download",
            kwok_digests=f"{self.root}/repos/kubernetes-sigs/kwok/releases/tags",
            coredns=f"{self.root}/coredns/coredns/releases/download",
        )

    def sources(self, cache: Path, **changes: object) -> Sources:
        """Return sources that know this server and nothing else: no Go, no real host."""
        given = {"hosts": self.hosts, "env": {"PATH": ""}, "platform": LINUX, "retry_pause_s": 0.01, **changes}
        return Sources(cache=cache, **given)  # type: ignore[arg-type]

    def put(self, path: str, body: bytes, *, published: str | None = None) -> None:
        """Lay a file with its ``.sha256`` beside it."""
        self.files[path] = body
        self.files[f"{path}.sha256"] = (published if published is not None else sha256(body)).encode()

    def put_kubernetes(
        self, version: str, size_bytes: int = 0, channel: str = "release", platform: Platform = LINUX
    ) -> None:
        """Lay the programs of a Kubernetes release for one platform, those of its tests in their archive."""
        root = f"/{channel}/{version}"
        mine = [program for program in PROGRAMS.values() if program.project == "kubernetes"]
        for name in (program.name for program in mine if not program.bundle):
            self.put(f"{root}/bin/{platform}/{name}", script(name, version, size_bytes))
        tests = {f"kubernetes/test/bin/{p.name}": script(p.name, version, size_bytes) for p in mine if p.bundle}
        self.put(f"{root}/kubernetes-test-{platform.os}-{platform.arch}.tar.gz", packed(tests))

    def put_etcd(self) -> None:
        """Lay etcd's archive and SHA256SUMS."""
        stem = f"etcd-{ETCD}-linux-amd64"
        archive = packed({f"{stem}/{name}": script(name, ETCD) for name in ("README.md", "etcdctl", "etcd")})
        folder = f"/etcd-io/etcd/releases/download/{ETCD}"
        self.files[f"{folder}/{stem}.tar.gz"] = archive
        sums = f"{'0' * 64}  etcd-{ETCD}-darwin-arm64.zip\n{sha256(archive)}  {stem}.tar.gz\n"
        self.files[f"{folder}/SHA256SUMS"] = sums.encode()

    def put_kwok(self) -> None:
        """Lay kwok's programs, and the digests as GitHub tells them."""
        assets = []
        for program in ("kwok", "kwokctl"):
            body = script(program, KWOK)
            name = f"{program}-linux-amd64"
            self.files[f"/kubernetes-sigs/kwok/releases/download/{KWOK}/{name}"] = body
            assets.append({"name": name, "digest": f"sha256:{sha256(body)}", "size": len(body)})
        listed = {"tag_name": KWOK, "assets": [{"name": "kwok.yaml", "digest": None}, *assets]}
        self.files[f"/repos/kubernetes-sigs/kwok/releases/tags/{KWOK}"] = json.dumps(listed).encode()

    def put_coredns(self) -> None:
        """Lay CoreDNS's archive and its sum."""
        name = f"coredns_{COREDNS[1:]}_linux_amd64.tgz"
        archive = packed({"coredns": script("coredns", COREDNS)})
        self.put(
            f"/coredns/coredns/releases/download/{COREDNS}/{name}", archive, published=f"{sha256(archive)}  {name}"
        )

    def put_all(self, version: str) -> None:
        """Lay everything that a release consists of."""
        self.put_kubernetes(version)
        self.put_etcd()
        self.put_kwok()
        self.put_coredns()

    def count(self, method: str, path: str) -> int:
        """Return how often a path was asked for."""
        return self.asked.count(f"{method} {path}")

    # faults

    def cut(self, path: str, *, times: int = 1000) -> None:
        """Close the connection in the middle of the body."""
        left = [times]

        def fault(handler: _Handler, body: bytes) -> None:
            left[0] -= 1
            if left[0] < 0:
                handler.answer(200, body)
                return
            handler.begin(200, len(body))
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            handler.close_connection = True

        self.faults[path] = fault

    def stall(self, path: str) -> None:
        """Send half of the body and then nothing until ``let_go`` is set."""

        def fault(handler: _Handler, body: bytes) -> None:
            handler.begin(200, len(body))
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            self.halfway.set()
            self.let_go.wait(30)
            handler.wfile.write(body[len(body) // 2 :])

        self.faults[path] = fault

    def fail(self, path: str, status: int, *, times: int = 1000) -> None:
        """Answer with an HTTP status."""
        left = [times]

        def fault(handler: _Handler, body: bytes) -> None:
            left[0] -= 1
            handler.answer(*((status, b"no") if left[0] >= 0 else (200, body)))

        self.faults[path] = fault

    def redirect(self, path: str, target: str) -> None:
        """Send the client elsewhere."""
        self.faults[path] = lambda handler, _body: handler.answer(302, b"", location=target)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    release: ReleaseServer

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        server = self.release
        server.asked.append(f"{self.command} {self.path}")
        try:
            if fault := server.faults.get(self.path):
                fault(self, server.files.get(self.path, b""))
            elif self.path in server.files:
                self.answer(200, server.files[self.path])
            else:
                self.answer(404, b"not found")
        except OSError:  # the client went away
            self.close_connection = True

    def begin(self, status: int, size_bytes: int, location: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(size_bytes))
        if location:
            self.send_header("Location", location)
        self.end_headers()

    def answer(self, status: int, body: bytes, location: str = "") -> None:
        self.begin(status, len(body), location)
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that went away during a handshake


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[ReleaseServer]:
    """Serve an empty layout on loopback, with TLS when a context is given."""
    release = ReleaseServer()
    handler = type("Handler", (_Handler,), {"release": release})
    server = _Quiet(("127.0.0.1", 0), handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    release.root = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    with running(server):
        try:
            yield release
        finally:
            release.let_go.set()
