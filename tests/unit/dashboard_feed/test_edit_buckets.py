from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketsError, BucketSpec, parse_buckets, read_buckets
from dashboard_feed.edit_buckets import add_bucket, with_bucket
from upload.errors import UsageError

FILE = b"""\
# the parties

gs://one-e2e/logs/:   # the first
  contact: 'a'
  prefix: "one:"  # short
  sequential: false

# the second
gs://two-e2e/logs/:
  prefix: 'two:'
  exclude_jobs: ["^x", '^y']
# the end
"""
SPEC = BucketSpec("gs://three-e2e/logs/", "three:", "c", sequential=False, exclude_jobs=('^a"b', r"\d"))


def test_all_else_stays_as_it_was() -> None:
    new = with_bucket(FILE, SPEC, "f").decode()
    tail = (
        'gs://three-e2e/logs/:\n  contact: "c"\n  prefix: "three:"\n  sequential: false\n'
        '  exclude_jobs: ["^a\\"b", "\\\\d"]\n'
    )

    assert new == FILE.decode() + tail


@pytest.mark.parametrize("old", [b"", b"# nothing yet", b"\n# nothing\n\n"], ids=["empty", "no line end", "comments"])
def test_the_first_bucket_comes_behind_the_comments(old: bytes) -> None:
    new = with_bucket(old, BucketSpec("gs://abc/", "a:", sequential=False), "f")

    assert (
        new
        == old
        + (b"" if not old or old.endswith(b"\n") else b"\n")
        + b'gs://abc/:\n  prefix: "a:"\n  sequential: false\n'
    )


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param(
            BucketSpec("gs://one-e2e/logs/", "x:"), "f: gs://one-e2e/logs/ is in it already, as 'one:'", id="uri"
        ),
        pytest.param(
            BucketSpec("gs://x-e2e/", "two:"), "f: prefix 'two:' is already that of gs://two-e2e/logs/", id="prefix"
        ),
        pytest.param(BucketSpec("s3://x/", "x:"), "'s3://x/': a bucket is gs://…/ or file:///…/", id="scheme"),
        pytest.param(BucketSpec("gs://abc/\n", "x:"), "'gs://abc/\n' must end in '/'", id="line end"),
        pytest.param(
            BucketSpec("gs://abc/", "x:", exclude_jobs=("(",)),
            "'(' is no regular expression: missing ), unterminated subpattern at position 0",
            id="pattern",
        ),
    ],
)
def test_what_cannot_be_added_is_refused(spec: BucketSpec, told: str) -> None:
    with pytest.raises(UsageError) as error:
        with_bucket(FILE, spec, "f")

    assert str(error.value) == told


@pytest.mark.parametrize(
    "old", [b'{gs://abc/: {prefix: "a:"}}\n', b"  gs://abc/: {prefix: 'a:'}\n", b"gs://abc/: {prefix: 'a:'}\n...\n"]
)
def test_a_file_that_has_no_place_behind_it_is_left_to_an_editor(old: bytes) -> None:
    with pytest.raises(UsageError, match="f: nothing can be put behind"):
        with_bucket(old, SPEC, "f")


def test_any_folder_can_be_added() -> None:
    spec = BucketSpec("file:///a b/#:'\u00e9/", "a:")

    assert parse_buckets(with_bucket(b"", spec, "f")) == (spec,)


def test_a_wrong_file_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text("gs://abc: {prefix: x}\n")
    with pytest.raises(BucketsError):
        add_bucket(path, SPEC)

    assert path.read_text() == "gs://abc: {prefix: x}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_and_a_link_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    real.write_bytes(FILE)
    real.chmod(0o600)
    link.symlink_to(real)
    add_bucket(link, SPEC)

    assert (link.is_symlink(), real.stat().st_mode & 0o777) == (True, 0o600)
    assert read_buckets(real)[-1] == SPEC


def test_two_at_once_are_both_added(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    specs = [BucketSpec(f"gs://bucket-{n}/", f"p{n}:") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda spec: add_bucket(path, spec), specs))

    assert sorted(read_buckets(path), key=lambda spec: spec.uri) == specs
    assert list(tmp_path.iterdir()) == [path]
