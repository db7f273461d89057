from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from dashboard_feed.buckets import BucketSpec


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
    assert re.fullmatch(r"1 job, 6 builds, [89] pages \(1[45] files written\)", made)  # one less when the day is over
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
