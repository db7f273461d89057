"""The site of what a warehouse holds: the same as that of the buckets, and only what changed is written again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.folder import LOCK, MANIFEST
from dashboard_feed.ingest.bucket import Options
from dashboard_feed.ingest.collect import collect
from dashboard_feed.site import build_site
from tests.support.federation import JobPlan, bucket_spec, number_of, write_build, write_job
from upload.errors import ResultsError
from upload.store import open_store

HOUR_S = 3600


def files(out: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if name not in (MANIFEST, LOCK)}


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def gather(specs: tuple[BucketSpec, ...], warehouse: Path, now_s: int) -> None:
    collect(specs, open_store(str(warehouse)), Options(now_s), holder="test")


def test_the_site_of_a_warehouse_is_that_of_its_buckets(
    federation: tuple[BucketSpec, ...], tmp_path: Path, now_s: int
) -> None:
    sound = federation[:2]
    gather(sound, tmp_path / "warehouse", now_s)

    made = build_site(
        sound, tmp_path / "kept", match=None, now_s=now_s, warehouse=open_store(str(tmp_path / "warehouse"))
    )
    build_site(sound, tmp_path / "read", match=None, now_s=now_s)

    running = "jobs/kopeio/ci-kubernetes-e2e-aws/build-20261122162320.html"  # its objects are kept once it is settled
    assert changed(files(tmp_path / "read"), files(tmp_path / "kept")) == [running]
    assert made.written == len(files(tmp_path / "kept"))


def test_hostile_rows_make_pages_and_no_crash(federation: tuple[BucketSpec, ...], tmp_path: Path, now_s: int) -> None:
    gather(federation, tmp_path / "warehouse", now_s)

    warehouse = open_store(str(tmp_path / "warehouse"))
    made = build_site(federation, tmp_path / "kept", match=None, now_s=now_s, warehouse=warehouse)

    content = b"".join(page for name, page in files(tmp_path / "kept").items() if name.endswith(".html"))
    assert made.findings
    assert b"<script>alert" not in content


@pytest.fixture
def plan() -> JobPlan:
    return JobPlan("ci-kubernetes-e2e-steady", "gce", flake_rate=0)


def test_new_builds_change_their_pages_and_those_of_their_job_alone(plan: JobPlan, tmp_path: Path, now_s: int) -> None:
    bucket, warehouse, out = tmp_path / "logs", tmp_path / "warehouse", tmp_path / "site"
    other = JobPlan("ci-kubernetes-e2e-other", "gce", flake_rate=0)
    for each in (plan, other):
        write_job(bucket, each, seed=1, now_s=now_s, builds=10)
    specs = (bucket_spec(bucket, "mine:", "me"),)
    gather(specs, warehouse, now_s)
    build_site(specs, out, match=None, now_s=now_s, warehouse=open_store(str(warehouse)))
    before = files(out)

    assert build_site(specs, out, match=None, now_s=now_s, warehouse=open_store(str(warehouse))).written == 0

    started = [now_s + HOUR_S, now_s + 2 * HOUR_S]
    for start_s in started:
        write_build(open_store(str(bucket)), plan, 0, start_s, random.Random(1))
    gather(specs, warehouse, now_s + 3 * HOUR_S)
    made = build_site(specs, out, match=None, now_s=now_s + 3 * HOUR_S, warehouse=open_store(str(warehouse)))

    own = f"jobs/mine/{plan.name}"
    found = changed(before, files(out))
    pages = [name for name in found if name.endswith(".html") and name.startswith("jobs/")]
    newest = max(name for name in before if name.startswith(f"{own}/build-"))
    assert pages == sorted([newest, f"{own}/index.html", *(f"{own}/build-{number_of(s)}.html" for s in started)])
    assert [name for name in found if other.name in name] == []
    assert made.written == len(found)


def test_where_nothing_was_collected_there_is_nothing_to_show(plan: JobPlan, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="there is no warehouse"):
        build_site((), tmp_path / "site", match=None, now_s=0, warehouse=open_store(str(tmp_path / "none")))
