from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketSpec
from tests.support.gcs import Bucket
from upload.model import Put


def feed(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "e2e", "feed", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, cwd=cwd)


def write_yaml(path: Path, specs: tuple[BucketSpec, ...]) -> Path:
    path.write_text("".join(f'{spec.uri}:\n  prefix: "{spec.prefix}"\n  sequential: false\n' for spec in specs))
    return path


def test_build_says_what_it_made_and_where(federation: tuple[BucketSpec, ...], tmp_path: Path) -> None:
    buckets = write_yaml(tmp_path / "buckets.yaml", federation[:1])
    done = feed("build", buckets, "--out", "site", "--match", "local", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    made, address = done.stdout.splitlines()
    assert re.fullmatch(r"1 job, 6 builds, 1[01] pages \(2[56] files written\)", made)  # one less when the day is over
    assert address == (tmp_path / "site/index.html").as_uri()


def test_findings_go_to_the_terminal_without_its_codes(federation: tuple[BucketSpec, ...], tmp_path: Path) -> None:
    buckets = write_yaml(tmp_path / "buckets.yaml", federation[2:])
    done = feed("build", buckets, "--out", "site", cwd=tmp_path)

    assert done.returncode == 0
    assert "more findings, on the first page" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_a_bad_file_is_told_with_every_line(tmp_path: Path) -> None:
    buckets = tmp_path / "buckets.yaml"
    buckets.write_text("gs://abc:\n  prefix: abc\n")
    done = feed("build", buckets, "--out", "site", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"e2e: {buckets}:1:1: 'gs://abc' must end in '/'",
        f"{buckets}:2:11: 'prefix' must be non-empty text that ends in ':', such as 'example:'",
    ]
    assert not (tmp_path / "site").exists()


def test_check_says_of_each_bucket_what_breaks_readers(federation: tuple[BucketSpec, ...], tmp_path: Path) -> None:
    buckets = write_yaml(tmp_path / "buckets.yaml", (federation[0], federation[2]))
    done = feed("check", buckets, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (4, "")
    first, *_, last = done.stdout.splitlines()
    assert first == f"example: {federation[0].uri}: 3 jobs, 3 builds looked at: 0 errors, 0 warnings"
    assert last == "2 buckets, 1 with errors"

    done = feed("check", buckets, "--format", "json", "--sample", "0", cwd=tmp_path)
    assert (done.returncode, [len(b["findings"]) for b in json.loads(done.stdout)["buckets"]]) == (0, [0, 0])


def test_check_of_a_server_finds_what_is_there_and_what_is_not(
    bucket: Bucket, federation: tuple[BucketSpec, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.endpoint)
    root = Path(federation[0].uri.removeprefix("file://"))
    for file in sorted(f for f in root.rglob("*") if f.is_file() and "-local" in str(f)):
        bucket.store("logs").put(Put(str(file.relative_to(root)), file.read_bytes(), "text/plain"))
    (tmp_path / "buckets.yaml").write_text("")
    for uri, prefix in ((f"{bucket.uri}/logs", "here"), ("gs://nobody-has-this", "gone")):
        assert feed("add", "buckets.yaml", uri, "--prefix", prefix, cwd=tmp_path).returncode == 0
    done = feed("check", "buckets.yaml", "--format", "json", cwd=tmp_path)

    here, gone = json.loads(done.stdout)["buckets"]
    assert (done.returncode, here["jobs"], here["findings"]) == (4, 1, [])
    assert [finding["rule"] for finding in gone["findings"]] == ["bucket.unreadable"]


def test_regressions_are_told_by_job_and_as_json(federation: tuple[BucketSpec, ...], tmp_path: Path) -> None:
    buckets = write_yaml(tmp_path / "buckets.yaml", federation)
    done = feed("regressions", buckets, "--match", "ubuntu", cwd=tmp_path)
    found = json.loads(feed("regressions", buckets, "--format", "json", cwd=tmp_path).stdout)["regressions"]

    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, lines[-1]) == (0, "", "4 tests broke")
    (reached,) = (each for each in found if each["test"] == "e2e.Up: Reach machines")
    bad = reached["places"][0]["first_bad"]
    azure = "  azure        example:ci-kubernetes-e2e-azure-ubuntu: "
    assert [line.removeprefix(azure) for line in lines if line.startswith(azure)] == [
        "good",
        "good",
        f"bad since 20261122020320, 22 Nov 02:03, {bad['version']}, {bad['commit']}",
        "good",
    ]
