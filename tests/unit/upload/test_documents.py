"""started.json, finished.json and latest-build.txt: golden files, the way back, and hostile bytes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.documents import (
    LARGEST_DOCUMENT_BYTES,
    Finished,
    Started,
    advance_latest,
    load_object,
    parse_finished,
    parse_latest,
    parse_started,
    render_finished,
    render_latest,
    render_started,
    same_but_for_time,
)
from upload.errors import Outcome, ResultsError
from upload.rules.documents import check_finished, check_started

Golden = Callable[[str, bytes], None]

STARTED = Started(
    timestamp_s=1784678400,
    node="node-1",
    version="v1.36.3+0123456789",
    repo_commit="0123456789abcdef",
    repos=(("k8s.io/kubernetes", "master"),),
    claim="0011223344556677",
)
FINISHED = Finished(
    timestamp_s=1784679000,
    passed=False,
    result="FAILURE",
    version="v1.36.3+0123456789",
    metadata=(("provider", "local"), ("version-source", "pinned")),
)

text = st.text(st.characters(exclude_categories=["Cs"]))
pairs = st.dictionaries(text, text).map(lambda d: tuple(d.items()))


def test_started_is_as_the_readers_know_it(golden: Golden) -> None:
    golden("started.json", render_started(STARTED))


def test_finished_is_as_the_readers_know_it(golden: Golden) -> None:
    golden("finished.json", render_finished(FINISHED))


@given(st.builds(Started, st.integers(0, 2**40), text, text.filter(bool), text.filter(bool), text, pairs, text))
def test_started_comes_back(started: Started) -> None:
    assert parse_started(render_started(started)) == started


@given(st.builds(Finished, st.integers(0, 2**40), st.booleans(), text, text.filter(bool), text.filter(bool), pairs))
def test_finished_comes_back(finished: Finished) -> None:
    found = parse_finished(render_finished(finished))

    assert dict(found.metadata) == {"job-version": finished.version} | dict(finished.metadata)
    assert render_finished(found) == render_finished(finished) or "job-version" in dict(finished.metadata)


@given(st.builds(Started, st.integers(0, 2**40), text, text.filter(bool)), st.sampled_from(Outcome), pairs)
def test_what_we_write_breaks_no_rule(
    started: Started, outcome: Outcome, metadata: tuple[tuple[str, str], ...]
) -> None:
    finished = Finished.from_outcome(outcome, started.timestamp_s, started.version, metadata)

    assert [*check_started("s", render_started(started)), *check_finished("f", render_finished(finished))] == []


@pytest.mark.parametrize(
    ("outcome", "passed", "result"),
    [
        (Outcome.PASSED, True, "SUCCESS"),
        (Outcome.TESTS_FAILED, False, "FAILURE"),
        (Outcome.RESULTS, False, "FAILURE"),
        (Outcome.DEADLINE, False, "FAILURE"),
        (Outcome.ABORTED, False, "ABORTED"),
    ],
    ids=lambda v: getattr(v, "name", None),
)
def test_outcome_gives_both_passed_and_result(outcome: Outcome, passed: bool, result: str) -> None:
    document = json.loads(render_finished(Finished.from_outcome(outcome, 7, "v1")))

    assert (document["passed"], document["result"]) == (passed, result)


HOSTILE = {
    "empty": b"",
    "cut short": b'{"timestamp": 1',
    "list": b"[1]",
    "null": b"null",
    "text": b'"x"',
    "NaN": b'{"timestamp": NaN}',
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "no UTF-8": b"\xff\xfe\xfd",
    "many digits": b'{"timestamp": ' + b"9" * 10_000 + b"}",
    "large": b" " * (LARGEST_DOCUMENT_BYTES + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_bytes_that_are_no_document_are_a_results_error(name: str) -> None:
    for parse in (parse_started, parse_finished, lambda body: load_object(body, "x")):
        with pytest.raises(ResultsError):
            parse(HOSTILE[name])


@given(st.binary())
def test_any_bytes_are_a_document_or_a_results_error(body: bytes) -> None:
    told = ""
    try:
        load_object(body, "x")
    except ResultsError as error:
        told = str(error)

    assert told.isprintable()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"timestamp": 1, "a": 1}', b'{"a": 1, "timestamp": 2}', True),
        (b'{"timestamp": 1}', b"{}", True),
        (b'{"timestamp": 1, "a": 1}', b'{"timestamp": 1, "a": 2}', False),
        (b'{"timestamp": 1', b'{"timestamp": 1', False),
    ],
    ids=["time", "no time", "other", "broken"],
)
def test_documents_are_compared_without_their_time(one: bytes, other: bytes, same: bool) -> None:
    assert same_but_for_time(one, other) is same


@pytest.mark.parametrize(
    ("existing", "number", "expected"),
    [
        (None, "20", b"20\n"),
        (b"", "20", b"20\n"),
        (b" \n", "20", b"20\n"),
        (b"9\n", "20", b"20\n"),
        (b"20\n", "20", None),
        (b"100", "20", None),
        (b"v9\n", "20", None),
        (b"\xff\xff", "20", None),
    ],
    ids=["none", "empty", "blank", "older", "same", "newer", "no integer", "bytes"],
)
def test_latest_build_only_moves_upwards(existing: bytes | None, number: str, expected: bytes | None) -> None:
    assert advance_latest(existing, number) == expected


@given(st.integers(1, 2**53), st.integers(1, 2**53))
def test_latest_build_ends_at_the_larger_one_in_either_order(one: int, other: int) -> None:
    def after(*numbers: int) -> str:
        body: bytes | None = None
        for number in numbers:
            body = advance_latest(body, str(number)) or body
        return parse_latest(body or b"")

    assert after(one, other) == after(other, one) == parse_latest(render_latest(str(max(one, other))))
