from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from dashboard_feed.ingest.metered import PAGE_ENTRIES, Meter, MeteredStore
from upload.errors import DeadlineExceeded, TooLarge
from upload.model import Put
from upload.store import open_store


def metered(root: Path, *, object_s: float = 10.0, until: float = 100.0, ticks: tuple[float, ...] = ()) -> MeteredStore:
    clock = iter(ticks)
    return MeteredStore(open_store(str(root)), object_s=object_s, until=until, clock=lambda: next(clock, 0.0))


def test_requests_and_bytes_are_counted(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"12345")
    store = metered(tmp_path)
    stored = store.read("a")
    missing = store.read_into("c", BytesIO(), limit_bytes=9)
    names = [entry.path for entry in store.list()]

    assert stored is not None
    assert (stored.body, missing, names, store.stat("b") is None) == (b"12345", None, ["a", "b"], False)
    assert store.meter == Meter(requests=4, bytes=5)


def test_a_long_listing_is_several_requests(tmp_path: Path) -> None:
    for number in range(PAGE_ENTRIES + 1):
        (tmp_path / str(number)).touch()
    store = metered(tmp_path)

    assert (sum(1 for _ in store.list()), store.meter.requests) == (PAGE_ENTRIES + 1, 2)


def test_an_object_that_comes_too_slowly_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (3 << 20))  # in pieces
    store = metered(tmp_path, ticks=(0.0, 0.0, 5.0, 11.0))

    with pytest.raises(DeadlineExceeded, match=r"reading file://.*/a was not done after 10 s"):
        store.read_into("a", BytesIO(), limit_bytes=9 << 20)


@pytest.mark.parametrize("what", ["read", "stat"])
def test_nothing_is_asked_when_the_time_is_over(what: str, tmp_path: Path) -> None:
    with pytest.raises(DeadlineExceeded):
        getattr(metered(tmp_path, ticks=(101.0,) * 3), what)("a")


def test_limits_hold(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")

    with pytest.raises(TooLarge):
        metered(tmp_path).read("a", limit_bytes=4)


def test_a_bucket_that_is_read_is_never_written_to(tmp_path: Path) -> None:
    store = metered(tmp_path)
    for call in (store.put, store.holds):
        with pytest.raises(NotImplementedError):
            call(Put("a", b"", "text/plain"))
