"""Collect as a process, from a server, and killed."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.ingest.bucket import Options
from dashboard_feed.ingest.collect import collect
from dashboard_feed.kettle import warehouse_rows
from dashboard_feed.warehouse.lease import LEASE
from dashboard_feed.warehouse.manifest import MANIFEST
from dashboard_feed.warehouse.query import opened
from tests.support.federation import write_federation
from tests.support.federation_prow import write_prow
from tests.support.gcs import Bucket
from tests.support.http_server import running
from upload.layout import content_type
from upload.model import Put
from upload.store import Store, open_store

NOW_S = 1_795_367_000
WAIT_S = 60.0


def argv(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "e2e", "feed", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv(*arguments), capture_output=True, text=True, timeout=WAIT_S, check=False)


def listed(folder: Path, specs: tuple[BucketSpec, ...]) -> Path:
    path = folder / "buckets.yaml"
    path.write_text("".join(f'{spec.uri}:\n  prefix: "{spec.prefix}"\n  sequential: false\n' for spec in specs))
    return path


def ask(store: Store, sql: str) -> list[tuple[object, ...]]:
    with opened(store) as connection:
        return connection.execute(sql).fetchall()


def contents(store: Store) -> dict[str, list[tuple[object, ...]]]:
    tables = ("builds", "cases", "findings", "objects")
    return {table: ask(store, f"SELECT * EXCLUDE read_s FROM {table} ORDER BY ALL" if table in ("builds", "findings")
                       else f"SELECT * FROM {table} ORDER BY ALL") for table in tables}  # fmt: skip


@pytest.fixture
def two_buckets(tmp_path: Path) -> Path:
    """Buckets that come in several parts each."""
    now_s = int(time.time())
    for name in ("a", "b"):
        for number in range(200):
            folder = tmp_path / name / "j" / str(1000 + number)
            (folder / "artifacts").mkdir(parents=True)
            for document in ("started.json", "finished.json"):
                (folder / document).write_text(json.dumps({"timestamp": now_s - number * 9000, "passed": True}))
            cases = "".join(f'<testcase name="t{case}" time="{number}"/>' for case in range(20))
            (folder / "artifacts/junit_01.xml").write_text(f'<testsuite tests="20">{cases}</testsuite>')
    return listed(tmp_path, tuple(BucketSpec(f"{(tmp_path / name).as_uri()}/", f"{name}:") for name in ("a", "b")))


KILLED = """
import sys, time
from pathlib import Path
from dashboard_feed.buckets import read_buckets
from dashboard_feed.ingest.bucket import Options
from dashboard_feed.ingest.collect import collect
from upload.store import open_store
options = Options(int(time.time()), commit_bytes=1, threads=2)
collect(read_buckets(Path(sys.argv[1])), open_store(sys.argv[2]), options, holder="killed")
"""


def commits(warehouse: Path) -> int:
    try:
        return int(json.loads((warehouse / MANIFEST).read_text())["sequence"])
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_one_that_is_killed_leaves_a_whole_warehouse_and_the_next_goes_on(two_buckets: Path, tmp_path: Path) -> None:
    """It is killed before its first commit, and after each of some more."""
    warehouse, whole = tmp_path / "warehouse", tmp_path / "whole"
    assert run("collect", two_buckets, "--warehouse", whole).returncode == 0
    found = []
    for more in (0, 1, 2):
        before = commits(warehouse)
        with subprocess.Popen([sys.executable, "-c", KILLED, two_buckets, warehouse]) as process:
            until = time.monotonic() + WAIT_S
            while time.monotonic() < until and process.poll() is None:
                if (warehouse / LEASE).exists() and commits(warehouse) >= before + more:
                    break
                time.sleep(0.005)
            os.kill(process.pid, signal.SIGKILL)
        if commits(warehouse):
            ((builds, cases),) = ask(
                open_store(str(warehouse)), "SELECT count(*), (SELECT count(*) FROM cases) FROM builds"
            )
            found.append(builds)
            assert cases == int(str(builds)) * 20
    done = run("collect", two_buckets, "--warehouse", warehouse)

    assert (done.returncode, done.stderr) == (0, "")
    assert 0 < int(str(found[-1])) < 400
    assert contents(open_store(str(warehouse))) == contents(open_store(str(whole)))


def test_a_second_one_is_refused_with_the_name_of_the_first(two_buckets: Path, tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse"
    with subprocess.Popen(argv("collect", two_buckets, "--warehouse", warehouse), stdout=subprocess.DEVNULL) as first:
        until = time.monotonic() + WAIT_S
        while not (warehouse / LEASE).exists() and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(first.pid, signal.SIGSTOP)
        second = run("collect", two_buckets, "--warehouse", warehouse)
        os.kill(first.pid, signal.SIGCONT)
        assert first.wait(WAIT_S) == 0

    assert second.returncode == 4
    assert f"(process {first.pid} on " in second.stderr
    assert "has been collecting into it for" in second.stderr


def fill(store: Store, folder: Path) -> None:
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        path = str(file.relative_to(folder))
        encoding = "gzip" if path.endswith((".xml", ".json")) else ""
        store.put(Put(path, file.read_bytes(), content_type(path), content_encoding=encoding))


def test_a_server_gives_what_its_folder_gives(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The warehouse lies on the server, too; objects are stored compressed."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.endpoint)
    specs = write_federation(tmp_path / "federation", now_s=NOW_S, builds=2)[:1]
    root = Path(specs[0].uri.removeprefix("file://"))
    fill(bucket.store("logs"), root)
    there = BucketSpec(f"{bucket.uri}/logs/", specs[0].prefix, sequential=False)
    options = Options(NOW_S)
    local = open_store(str(tmp_path / "warehouse"))
    collect(specs, local, options, holder="me")
    remote = bucket.store("warehouse")
    first = collect([there], remote, options, holder="me")
    second = collect([there], remote, options, holder="me")

    columns = "job, number, passed, version, tests, failed, objects"
    asked = f"SELECT {columns} FROM builds ORDER BY ALL"
    assert ask(remote, asked) == ask(local, asked)
    asked = "SELECT job, number, position, name, status, text FROM cases ORDER BY ALL"
    assert ask(remote, asked) == ask(local, asked)
    assert (first.builds, first.commits, second.commits) == (6, 1, 0)
    assert second.buckets[0].requests == 1 + 2 * 3  # the jobs; of each its new ids, and latest-build.txt


def test_sql_reads_a_warehouse_on_a_server_and_keeps_its_files(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.endpoint)
    specs = write_federation(tmp_path / "federation", now_s=NOW_S, builds=1)[:1]
    collect(specs, bucket.store("warehouse"), Options(NOW_S), holder="me")
    arguments = ("--warehouse", f"{bucket.uri}/warehouse", "--cache", tmp_path / "cache", "--format", "json")
    first = run("sql", *arguments, "SELECT count(*) AS n FROM builds")
    again = run("sql", *arguments, "SELECT count(*) AS n FROM builds")

    assert (json.loads(first.stdout), json.loads(again.stdout)) == ([{"n": 3}], [{"n": 3}])
    assert {file.parts[-3] for file in (tmp_path / "cache").rglob("*.parquet")} == {"builds"}


def test_hostile_buckets_change_nothing_of_the_others(tmp_path: Path) -> None:
    specs = write_federation(tmp_path / "federation", now_s=NOW_S, builds=1)
    bomb = tmp_path / "federation/hostile/logs/ci-kubernetes-x/5/artifacts"
    bomb.mkdir(parents=True)
    (bomb / "junit_01.xml").write_bytes(gzip.compress(b"<testsuite>" + b" " * (1 << 22)))
    (bomb.parent / "finished.json").write_text('{"timestamp": 1, "metadata": {"\\ud800": "\\udfff"}}')
    together, alone = open_store(str(tmp_path / "together")), open_store(str(tmp_path / "alone"))
    collect(specs, together, Options(NOW_S), holder="me")
    collect(specs[:2], alone, Options(NOW_S), holder="me")

    for table in ("builds", "cases", "findings", "objects"):
        sound = f"SELECT * FROM {table} WHERE party IN ('example', 'kopeio') ORDER BY ALL"
        assert ask(together, sound) == ask(alone, sound)
    assert ask(together, "SELECT count(*) FROM builds WHERE party = 'hostile'") != [(0,)]


def test_what_prow_publishes_is_read_whole(tmp_path: Path) -> None:
    spec, builds = write_prow(tmp_path / "bucket", now_s=NOW_S, builds=6)
    warehouse = open_store(str(tmp_path / "warehouse"))
    (report,) = collect([spec], warehouse, Options(NOW_S), holder="me").buckets
    (again,) = collect([spec], warehouse, Options(NOW_S), holder="me").buckets
    folder = spec.uri.removesuffix("pr-logs/")

    assert (report.jobs, report.settled, report.running, report.notes) == (2, 10, 2, [])
    assert (again.settled, again.running) == (0, 2)
    assert ask(warehouse, "SELECT job, number, pull, build, is_finished FROM builds ORDER BY job, number") == [
        (build.job, build.number, build.pull, f"{folder}{build.folder.rstrip('/')}", build.is_finished)
        for build in builds
    ]
    assert ask(warehouse, "SELECT count(*), count(DISTINCT name), bool_and(is_nested) FROM cases") == [(50, 5, True)]
    assert ask(warehouse, "SELECT DISTINCT rule FROM findings") == [("finished.metadata",)]  # it breaks kettle, too
    rows = [json.loads(line) for line in warehouse_rows(warehouse)]
    assert {row["test"][0]["name"] for row in rows} == {"e2e kubetest2.Up"}  # kettle looks no deeper
    assert all(row["repos"].startswith('{"kubernetes/kubernetes": "master:') for row in rows)

    for build in builds:
        (tmp_path / "bucket" / build.folder / "finished.json").write_text(
            json.dumps({"timestamp": NOW_S, "passed": True})
        )
    (ended,) = collect([spec], warehouse, Options(NOW_S), holder="me").buckets
    assert (ended.settled, ended.running) == (2, 0)
    assert ask(warehouse, "SELECT count(*), count(DISTINCT build), bool_and(is_finished) FROM builds") == [
        (12, 12, True)
    ]


def test_check_follows_the_aliases_of_prow(tmp_path: Path) -> None:
    spec, builds = write_prow(tmp_path / "bucket", now_s=NOW_S, builds=2)
    done = run("check", listed(tmp_path, (spec,)), "--format", "json")

    (found,) = json.loads(done.stdout)["buckets"]
    newest = {build.job: build.folder.removeprefix("pr-logs/") for build in builds}
    assert (done.returncode, found["jobs"], found["builds"]) == (4, 2, list(newest.values()))


class _Silent(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Endless(_Silent):
    """Answers every request with headers, then with a byte now and then."""

    is_over = Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with suppress(OSError):
            while not self.is_over.wait(0.1):
                self.wfile.write(b" ")
                self.wfile.flush()


class _Paged(_Silent):
    """Lists one job after another, without end."""

    def do_GET(self) -> None:
        page = int(parse_qs(urlsplit(self.path).query).get("pageToken", ["0"])[0])
        body = json.dumps({"prefixes": [f"logs/j{page}/"], "nextPageToken": str(page + 1)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.slow
@pytest.mark.parametrize("handler", [_Endless, _Paged], ids=["an answer that never ends", "a listing without end"])
def test_a_bucket_that_never_comes_to_an_end_costs_itself_a_finding(
    handler: type[BaseHTTPRequestHandler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = write_federation(tmp_path / "federation", now_s=NOW_S, builds=1)[0]
    warehouse = open_store(str(tmp_path / "warehouse"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    server.daemon_threads = True
    _Endless.is_over.clear()
    with running(server):
        bad = BucketSpec("gs://endless/logs/", "bad:", sequential=False)
        first, second = collect([bad, good], warehouse, Options(NOW_S, bucket_s=10, grace_s=0), holder="me").buckets
        _Endless.is_over.set()

    assert {finding.rule for _, finding in first.notes} <= {"bucket.slow", "bucket.unreadable"}
    assert (bool(first.failure), second.settled) == (True, 3)
    assert ask(warehouse, "SELECT DISTINCT party FROM builds") == [("example",)]
    assert ask(warehouse, "SELECT count(*) FROM findings WHERE party = 'bad'") == [(1,)]
