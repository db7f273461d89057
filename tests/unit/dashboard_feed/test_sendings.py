from __future__ import annotations

import json

import pytest

from dashboard_feed.alerts import Alert, AlertKind, Point, Watched, as_json
from dashboard_feed.sendings import (
    MOST_TOLD,
    Change,
    change_since,
    listing,
    read_state,
    render_message,
    render_state,
)
from upload.errors import UsageError


def alert(key: str, job: str = "p:j", **facts: object) -> Alert:
    values = {"test": f"test {key}", "failures": 2, "first_bad": Point("8", "v1+b", "b", 1_795_367_000), **facts}
    return Alert(key, AlertKind.FAILING, job, f"id of {job}", "gs://b/", **values)  # type: ignore[arg-type]  # facts of Alert


def watched(*alerts: Alert, jobs: tuple[str, ...] = ("p:j",)) -> Watched:
    return Watched(alerts, frozenset(f"id of {job}" for job in jobs))


def ids(change: Change) -> tuple[list[object], list[object], list[str]]:
    return [told["id"] for told in change.opened], [told["id"] for told in change.closed], sorted(change.sent)


OLD = {"a": as_json(alert("a")), "b": as_json(alert("b")), "z": as_json(alert("z", "q:other"))}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(watched(alert("a"), alert("b")), ([], [], ["a", "b", "z"]), id="nothing new"),
        pytest.param(watched(alert("a"), alert("c")), (["c"], ["b"], ["a", "c", "z"]), id="one opened, one over"),
        pytest.param(watched(jobs=()), ([], [], ["a", "b", "z"]), id="nothing was read: nothing is over"),
        pytest.param(watched(jobs=("p:j", "q:other")), ([], ["a", "b", "z"], []), id="all over"),
    ],
)
def test_a_sending_says_what_changed(now: Watched, expected: tuple[list[object], list[object], list[str]]) -> None:
    assert ids(change_since(OLD, now)) == expected


def test_a_state_is_read_as_it_was_written() -> None:
    assert read_state(render_state(OLD), "f") == OLD
    assert read_state(None, "f") == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"format": 2, "sent": {}}', b'{"format": 1, "sent": {"a": {}}}', b"[" * 100_000, b"\xff"],
)
def test_another_file_is_no_state(content: bytes) -> None:
    with pytest.raises(UsageError, match="f is no state of sent alerts"):
        read_state(content, "f")


def test_a_message_is_one_document_with_a_text() -> None:
    message = json.loads(
        render_message(change_since(OLD, watched(alert("a"), alert("c", last_good=Point("7", commit="a")))))
    )

    assert message["text"] == "1 new alert, 1 over\nopen: p:j: test c (a..b)\nover: p:j: test b (..b)"
    assert [told["id"] for told in message["opened"]] == ["c"]
    assert message["opened"][0]["commits"] == "a..b"
    assert (len(message["delivery"]), message["more"]) == (16, 0)


def test_the_same_change_is_the_same_delivery_and_another_opening_is_not() -> None:
    def delivery(build: str) -> str:
        now = watched(alert("c", first_bad=Point(build), message="of the moment"))
        return str(json.loads(render_message(change_since({}, now)))["delivery"])

    assert delivery("8") == delivery("8") != delivery("9")


def test_a_message_does_not_grow_without_end() -> None:
    many = watched(*(alert(f"{n:05}") for n in range(3000)))
    change = change_since({}, many)
    message = json.loads(render_message(change))

    assert (len(message["opened"]), message["more"], len(change.sent)) == (MOST_TOLD, 2500, 3000)
    assert message["text"].endswith("and 2980 more")


def test_a_listing_keeps_terminal_codes_out() -> None:
    stale = Alert("s", AlertKind.STALE, "p:\x1b[31mj", "2", "gs://b/", "who", latest_bad=Point("1", at_s=1_795_367_000))
    shown = listing([alert("a", test="\x1b]8;;x\x07t\nu", message="no\r\n  good"), stale])

    assert shown == [
        "p:j",
        "  failing  \N{REPLACEMENT CHARACTER}]8;;x\N{REPLACEMENT CHARACTER}t u",
        "           2 failures since build 8, 22 Nov 17:03, commits ..b",
        "           no good",
        "p:\N{REPLACEMENT CHARACTER}[31mj   ask who",
        "  stale    newest build: 22 Nov 17:03",
    ]
