"""The site over HTTP: a real process, asked by a plain client."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.federation import JobPlan, bucket_spec, write_build, write_job
from upload.store import open_store

WAIT_S = 60.0
PLAN = JobPlan("ci-kubernetes-e2e-mine", "gce", flake_rate=0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a federation of one bucket."""
    write_job(tmp_path / "bucket", PLAN, seed=1, now_s=int(time.time()) - 7200, builds=3)
    spec = bucket_spec(tmp_path / "bucket", "mine:", "me")
    (tmp_path / "buckets.yaml").write_text(json.dumps({spec.uri: {"prefix": "mine:", "sequential": False}}))
    return tmp_path


@contextmanager
def served(home: Path, *options: str) -> Iterator[str]:
    """Run the command and give the address that it prints."""
    arguments = [str(home / "buckets.yaml"), "--out", str(home / "site"), "--port", "0", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "e2e", "feed", "serve", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(WAIT_S)
        process.stdout.close()


def ask(address: str, path: str, **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=WAIT_S)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_pages_and_objects_are_served_as_they_lie_on_disk(home: Path) -> None:
    log = next((home / "bucket").rglob("build-log.txt"))
    with served(home) as address:
        first, _ = ask(address, "/")
        page, content = ask(address, first.headers["Location"])
        part, cut = ask(address, str(log), Range="bytes=5-14")
        missing = [
            ask(address, path)[0].status
            for path in ("/etc/passwd", f"{home}/buckets.yaml", f"{home}/site/.federated-e2e-site.json",
                         f"{home}/site/../buckets.yaml", f"{home}/site/%2e%2e/buckets.yaml")
        ]  # fmt: skip
        foreign, _ = ask(address, "/", Host="evil.example.com")

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
    assert (first.status, first.headers["Location"]) == (307, f"{home}/site/index.html")
    assert (page.status, content) == (200, (home / "site/index.html").read_bytes())
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Refresh"] == "300"
    assert (part.status, cut) == (206, log.read_bytes()[5:15])
    assert part.headers["Content-Security-Policy"].startswith("sandbox;")
    assert missing == [404] * 5
    assert foreign.status == 400


@pytest.mark.parametrize("options", [(), ("--warehouse", "kept")], ids=["buckets", "warehouse"])
def test_a_new_build_is_shown_while_it_runs(home: Path, options: tuple[str, ...]) -> None:
    options = tuple(str(home / option) if option == "kept" else option for option in options)
    page = f"{home}/site/jobs/mine/{PLAN.name}/index.html"
    with served(home, "--every", "1", *options) as address:
        before = ask(address, page)[1]
        write_build(open_store(str(home / "bucket")), PLAN, 0, int(time.time()) - 600, random.Random(1))
        until = time.monotonic() + WAIT_S
        while (after := ask(address, page)[1]) == before and time.monotonic() < until:
            time.sleep(0.2)

    assert (before.count(b'scope="col"'), after.count(b"build-")) != (0, 0)
    assert len(re.findall(rb"build-\d+\.html", after)) > len(re.findall(rb"build-\d+\.html", before))


def test_an_address_in_use_is_said(home: Path) -> None:
    with served(home) as address:
        port = str(urlsplit(address).port)
        argv = [sys.executable, "-m", "e2e", "feed", "serve", str(home / "buckets.yaml"), "--out", str(home / "other")]
        done = subprocess.run([*argv, "--port", port], capture_output=True, text=True, timeout=WAIT_S, check=False)

    assert done.returncode == 2
    assert f"127.0.0.1:{port} cannot be listened at" in done.stderr
