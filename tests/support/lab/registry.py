"""A registry of container images on the lab's bridge, for machines that pull: what an archive of ours holds, to be read.

Protocol: the OCI distribution specification, of which a client that pulls needs manifests and blobs.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.http_server import running

OCI = "application/vnd.oci.image"
BLOCK_BYTES = 1 << 20
_ASKED = re.compile(r"/v2/(?:[a-z0-9._-]+/)*(?P<image>[a-z0-9._-]+)/(?P<kind>manifests|blobs)/(?P<what>[\w.:+-]+)")


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is served. ``manifests``: by ``image:tag`` and by digest; ``blobs``: digest → where in the archive, how long."""

    archive: Path
    manifests: Mapping[str, bytes]
    blobs: Mapping[str, tuple[int, int]]


def shelf_of(archive: Path) -> Shelf:
    """Return what an archive holds, as ``providers.releases.archive`` packs it: files are named by their digests."""
    with tarfile.open(archive) as tar:
        members = {member.name: member for member in tar.getmembers()}
        told = tar.extractfile("manifest.json")
        assert told
        images = json.load(told)
    blobs = {f"sha256:{name.partition('.')[0]}": (m.offset_data, m.size) for name, m in members.items()}
    manifests = {}
    for image in images:
        layers = [_described(f"{OCI}.layer.v1.tar", layer, blobs) for layer in image["Layers"]]
        document = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": _described(f"{OCI}.config.v1+json", image["Config"], blobs),
            "layers": layers,
        }
        body = json.dumps(document).encode()
        for key in (
            f"sha256:{hashlib.sha256(body).hexdigest()}",
            *(tag.rpartition("/")[2] for tag in image["RepoTags"]),
        ):
            manifests[key] = body
    return Shelf(archive, manifests, blobs)


def _described(kind: str, name: str, blobs: Mapping[str, tuple[int, int]]) -> dict[str, object]:
    digest = f"sha256:{name.partition('.')[0]}"
    return {"mediaType": kind, "digest": digest, "size": blobs[digest][1]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, shelf: Shelf, *args: object) -> None:
        self._shelf = shelf
        super().__init__(*args)  # type: ignore[arg-type]  # what the server gives

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.path.rstrip("/") == "/v2":
            self._begin(200, "application/json", 0)
            return
        asked = _ASKED.fullmatch(self.path.partition("?")[0])
        if asked and asked["kind"] == "blobs" and asked["what"] in self._shelf.blobs:
            self._send_blob(asked["what"])
            return
        key = asked["what"] if asked and ":" in asked["what"] else f"{asked['image']}:{asked['what']}" if asked else ""
        body = self._shelf.manifests.get(key, b"")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self._begin(200 if body else 404, f"{OCI}.manifest.v1+json", len(body), digest)
        if self.command == "GET":
            self.wfile.write(body)

    def _send_blob(self, digest: str) -> None:
        start, left = self._shelf.blobs[digest]
        self._begin(200, "application/octet-stream", left, digest)
        if self.command != "GET":
            return
        with self._shelf.archive.open("rb") as file:
            file.seek(start)
            while left and (block := file.read(min(BLOCK_BYTES, left))):
                self.wfile.write(block)
                left -= len(block)

    def _begin(self, status: int, kind: str, size_bytes: int, digest: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size_bytes))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def image_registry(archive: Path, address: str) -> Iterator[str]:
    """Give ``address:port`` of a registry over plain HTTP."""
    server = ThreadingHTTPServer((address, 0), partial(_Handler, shelf_of(archive)))
    server.daemon_threads = True
    with running(server):
        yield f"{address}:{server.server_port}"
