"""Fixtures: a fake-gcs-server on loopback for the session, a bucket of one's own, and the fault proxy in front.

Use from a conftest: ``from tests.support.gcs import bucket, faults, gcs_server``.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy, fault_proxy
from tests.support.gotools import fake_gcs_server
from upload.store import Patience, Store, open_store

START_S = 20.0
IMPATIENT = Patience(operation_s=10.0, request_s=5.0, first_wait_s=0.01, longest_wait_s=0.05)
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket on a server. ``endpoint``: where to reach it, the server or the proxy in front."""

    name: str
    endpoint: str

    @property
    def uri(self) -> str:
        return f"gs://{self.name}"

    def store(self, folder: str = "", patience: Patience = IMPATIENT) -> Store:
        return open_store(f"{self.uri}/{folder}".rstrip("/"), endpoint=self.endpoint, patience=patience)


def publish_argv(folder: Path, job: str, bucket: Bucket) -> list[str]:
    """Return the command that publishes a folder as a process; where the bucket is reached, its environment says."""
    return [sys.executable, "-m", "e2e", "publish", str(folder), "--job", job, "--results", bucket.uri]


@contextmanager
def running_server(root: Path | None = None) -> Iterator[str]:
    """Run a fake-gcs-server that keeps everything in memory, or in files below ``root``, and give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    backend = ["filesystem", "-filesystem-root", str(root)] if root else ["memory"]
    argv = [str(fake_gcs_server()), "-backend", *backend, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    argv += ["-external-url", url, "-public-host", f"127.0.0.1:{port}"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path("/")) as process:
        try:
            _wait(url, process)
            yield url
        finally:
            process.kill()


def make_bucket(url: str) -> Bucket:
    """Create a bucket with a name of its own."""
    name = f"e2e-test-{next(_NUMBERS)}"
    body = json.dumps({"name": name}).encode()
    request = urllib.request.Request(f"{url}/storage/v1/b?project=p", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):
        return Bucket(name, url)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, "fake-gcs-server ended at once"
        try:
            with urllib.request.urlopen(f"{url}/_internal/healthcheck", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"fake-gcs-server did not answer within {START_S:g} s")


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[str]:
    """The address of a fake-gcs-server."""
    with running_server() as url:
        yield url


@pytest.fixture
def bucket(gcs_server: str) -> Bucket:
    """An empty bucket."""
    return make_bucket(gcs_server)


@pytest.fixture
def faults(bucket: Bucket) -> Iterator[FaultProxy]:
    """A proxy in front of the bucket's server, without faults yet."""
    with fault_proxy(bucket.endpoint) as proxy:
        yield proxy
