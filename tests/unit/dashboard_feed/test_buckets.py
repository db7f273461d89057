from __future__ import annotations

from pathlib import Path

import pytest

import dashboard_feed
from dashboard_feed.buckets import LARGEST_BYTES, BucketsError, BucketSpec, parse_buckets, read_buckets
from upload.errors import UsageError

KOPEIO = b"""\
# who publishes
gs://kopeio-kubernetes-e2e/logs/:
  contact: "justinsb"
  prefix: "kopeio:"
  sequential: false
"""


def problems(text: bytes) -> list[tuple[int, int, str]]:
    with pytest.raises(BucketsError) as caught:
        parse_buckets(text)
    return [(problem.line, problem.column, problem.what) for problem in caught.value.problems]


def test_the_entry_of_the_original_file_is_read() -> None:
    assert parse_buckets(KOPEIO) == (
        BucketSpec("gs://kopeio-kubernetes-e2e/logs/", "kopeio:", "justinsb", sequential=False, exclude_jobs=()),
    )


def test_every_key_has_its_default() -> None:
    text = b'file:///srv/b/logs/: {prefix: "b:", exclude_jobs: ["^old-", "x$"]}\ngs://a-bucket/: {prefix: "a:"}\n'

    assert parse_buckets(text) == (
        BucketSpec("file:///srv/b/logs/", "b:", "", sequential=True, exclude_jobs=("^old-", "x$")),
        BucketSpec("gs://a-bucket/", "a:"),
    )


def test_the_sample_in_the_package_is_valid() -> None:
    specs = read_buckets(Path(dashboard_feed.__file__).parent / "buckets.yaml")

    assert [(spec.uri, spec.prefix, spec.sequential) for spec in specs] == [
        ("gs://example-e2e/logs/", "example:", False),
        ("gs://kopeio-kubernetes-e2e/logs/", "kopeio:", False),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"", [(1, 1, "no bucket is listed")], id="empty file"),
        pytest.param(b"{}", [(1, 1, "no bucket is listed")], id="empty mapping"),
        pytest.param(b"- a\n", [(1, 1, "expected a mapping of gs://bucket/path/: to its keys")], id="a list"),
        pytest.param(b"a: [", [(2, 1, "not YAML: did not find expected node content")], id="not YAML"),
        pytest.param(b"a: 1\n\xff: 2\n", [(2, 1, "not UTF-8")], id="not UTF-8"),
        pytest.param(
            b"gs://bucket/logs: {prefix: 'a:'}",
            [(1, 1, "'gs://bucket/logs' must end in '/'")],
            id="no slash at the end",
        ),
        pytest.param(
            b"s3://bucket/: {prefix: 'a:'}",
            [(1, 1, "'s3://bucket/': a bucket is gs://\u2026/ or file:///\u2026/")],
            id="scheme",
        ),
        pytest.param(
            b"gs://bucket/../x/: {prefix: 'a:'}", [(1, 1, "'gs://bucket/../x/' must not hold '.' or '..'")], id="dots"
        ),
        pytest.param(b"gs://B/: {prefix: 'a:'}", [(1, 1, "'gs://B/' is no valid bucket address")], id="bucket name"),
        pytest.param(b"gs://bucket//: {prefix: 'a:'}", [(1, 1, "'gs://bucket//' is no valid bucket address")], id="//"),
        pytest.param(
            b"gs://abc/: 7", [(1, 12, "expected a mapping with contact, prefix, sequential, exclude_jobs")], id="7"
        ),
        pytest.param(
            b"gs://abc/: {contact: me}",
            [(1, 1, "'prefix' is missing: a name of the party that ends in ':'")],
            id="no prefix",
        ),
        pytest.param(
            b"gs://abc/:\n  prefix: ''\n",
            [(2, 11, "'prefix' must be non-empty text that ends in ':', such as 'example:'")],
            id="empty prefix",
        ),
        pytest.param(
            b"gs://abc/:\n  prefix: abc\n",
            [(2, 11, "'prefix' must be non-empty text that ends in ':', such as 'example:'")],
            id="prefix without colon",
        ),
        pytest.param(
            b"gs://abc/: {prefix: 'a:'}\ngs://abd/: {prefix: 'a:'}\n",
            [(2, 1, "prefix 'a:' is already that of line 1")],
            id="prefix twice",
        ),
        pytest.param(
            b"gs://abc/: {prefix: 'a:'}\ngs://abc/: {prefix: 'b:'}\n",
            [(2, 1, "'gs://abc/' stands already on line 1")],
            id="bucket twice",
        ),
        pytest.param(
            b"gs://abc/:\n  prefix: 'a:'\n  sequental: no\n",
            [
                (
                    3,
                    3,
                    "unknown key 'sequental' (did you mean 'sequential'?); known: contact, prefix, sequential, exclude_jobs",
                )
            ],
            id="unknown key",
        ),
        pytest.param(
            b"gs://abc/:\n  prefix: 'a:'\n  sequential: 'false'\n  contact: [x]\n  exclude_jobs: ['(']\n",
            [
                (3, 15, "'sequential' must be true or false"),
                (4, 12, "'contact' must be a GitHub name"),
                (5, 18, "'(' is no regular expression: missing ), unterminated subpattern at position 0"),
            ],
            id="all problems at once",
        ),
        pytest.param(
            b"gs://abc/: {prefix: 'a:', exclude_jobs: x}",
            [(1, 41, "'exclude_jobs' must be a list of regular expressions")],
            id="patterns are no list",
        ),
        pytest.param(b"? [a]\n: 1\n", [(1, 3, "a key must be plain text")], id="a key that is no text"),
        pytest.param(b"#" * (LARGEST_BYTES + 1), [(1, 1, "larger than 1048576 bytes")], id="too large"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: bytes, expected: list[tuple[int, int, str]]) -> None:
    assert problems(text) == expected


def test_an_alias_bomb_costs_nothing() -> None:
    bomb = b"a: &a [x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 8)) for n in range(20)
    )

    assert problems(bomb)[0] == (1, 1, "'a': a bucket is gs://\u2026/ or file:///\u2026/")


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    assert problems(b"[" * 100_000) == [(1, 9, "nested too deep")]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.yaml: cannot read: No such file or directory"):
        read_buckets(tmp_path / "nothing.yaml")


def test_the_error_names_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "buckets.yaml"
    path.write_bytes(b"gs://abc/: 7")

    with pytest.raises(BucketsError) as caught:
        read_buckets(path)

    assert str(caught.value) == f"{path}:1:12: expected a mapping with contact, prefix, sequential, exclude_jobs"


def test_excluded_jobs_are_matched_from_the_start() -> None:
    spec = BucketSpec("gs://abc/", "a:", exclude_jobs=("ci-old",))

    assert [spec.excludes(job) for job in ("ci-old-1", "my-ci-old", "ci-new")] == [True, False, False]
