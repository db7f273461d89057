from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Bucket
from dashboard_feed.collect import DAY_BUILDS, GRID_BUILDS, read_bucket

NOW_S = 1_800_000_000


def write(root: Path, job: str, number: str, finished_s: int = NOW_S) -> None:
    folder = root / job / number
    folder.mkdir(parents=True)
    document = {"timestamp": finished_s, "passed": True, "result": "SUCCESS"}
    for name in ("started.json", "finished.json"):
        (folder / name).write_text(json.dumps(document))


def collect(root: Path, *, match: str = "", clock: tuple[float, ...] = (), excluded: tuple[str, ...] = ()) -> Bucket:
    spec = BucketSpec(f"{root.as_uri()}/", "p:", exclude_jobs=excluded)
    ticks = iter(clock)
    return read_bucket(
        spec,
        match=re.compile(match) if match else None,
        now_s=NOW_S,
        budget_s=10,
        clock=lambda: next(ticks, 0.0),
    )


def numbers(bucket: Bucket) -> dict[str, list[str]]:
    return {job.name: [build.number for build in job.builds] for job in bucket.jobs}


def rules(bucket: Bucket) -> list[str]:
    return [finding.rule for finding in bucket.findings]


def test_builds_come_newest_first_as_numbers(tmp_path: Path) -> None:
    for number in ("9", "10", "8", "odd"):
        write(tmp_path, "job", number)
    (tmp_path / "job" / "latest-build.txt").write_text("10\n")
    found = collect(tmp_path)

    assert (numbers(found), rules(found)) == ({"job": ["10", "9", "8", "odd"]}, ["build.id"])


@pytest.mark.parametrize(
    ("fresh", "expected"),
    [
        pytest.param(0, GRID_BUILDS, id="none of the day"),
        pytest.param(GRID_BUILDS - 3, GRID_BUILDS, id="fewer than a grid"),
        pytest.param(GRID_BUILDS + 1, 2 * GRID_BUILDS, id="more than a grid"),
        pytest.param(DAY_BUILDS + 9, DAY_BUILDS, id="more than are read"),
    ],
)
def test_builds_of_the_day_are_read_beyond_the_grid(tmp_path: Path, fresh: int, expected: int) -> None:
    total = max(3 * GRID_BUILDS, fresh)
    for number in range(total):
        is_fresh = number >= total - fresh
        write(tmp_path, "job", str(1000 + number), NOW_S if is_fresh else NOW_S - 90_000)

    assert len(numbers(collect(tmp_path))["job"]) == expected


def test_jobs_are_matched_and_excluded(tmp_path: Path) -> None:
    for job in ("ci-a", "ci-b", "old-ci"):
        write(tmp_path, job, "1")

    assert list(numbers(collect(tmp_path, match="^p:ci-"))) == ["ci-a", "ci-b"]
    assert list(numbers(collect(tmp_path, excluded=("ci-a", "-ci")))) == ["ci-b", "old-ci"]


def test_a_slow_bucket_is_left_with_what_was_read(tmp_path: Path) -> None:
    for job in ("a", "b", "c"):
        write(tmp_path, job, "1")
    found = collect(tmp_path, clock=(0.0, 1.0, 11.0))

    assert (list(numbers(found)), rules(found)) == (["a"], ["bucket.slow"])


def test_an_empty_bucket_says_so(tmp_path: Path) -> None:
    assert rules(collect(tmp_path / "nothing")) == ["bucket.empty"]


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "outside", "secret", "1")
    write(tmp_path / "bucket", "job", "1")
    (tmp_path / "bucket" / "link").symlink_to(tmp_path / "outside" / "secret")
    (tmp_path / "bucket" / "job" / "2").symlink_to(tmp_path / "outside" / "secret" / "1")

    assert numbers(collect(tmp_path / "bucket")) == {"job": ["1"]}
