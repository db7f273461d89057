from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dashboard_feed.warehouse.lease import LEASE, LEASE_S, Holder, LeaseTaken, held, is_dead, myself
from upload.errors import ResultsError
from upload.store import open_store

NOW_S = 1_800_000_000
ELSEWHERE = Holder("ann@far", "far.example", 7, 1.0, NOW_S - 50, NOW_S + 60)


def write(root: Path, holder: Holder) -> None:
    (root / LEASE).write_text(json.dumps(asdict(holder)))


def test_a_second_one_is_told_who_holds_it_and_since_when(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    with (
        held(store, "bob@here", clock=lambda: NOW_S),
        pytest.raises(LeaseTaken) as error,
        held(store, "cid@here", clock=lambda: NOW_S + 90),
    ):
        pass

    told = f"bob@here (process {os.getpid()} on {socket.gethostname()}) has been collecting into it for 90 s"
    assert str(error.value) == f"{store.uri}: {told}"


def test_one_that_is_given_back_can_be_had(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    for name in ("bob@here", "cid@here"):
        with held(store, name, clock=lambda: NOW_S) as lease:
            lease.check()


@pytest.mark.parametrize(
    ("holder", "is_free"),
    [
        pytest.param(ELSEWHERE, False, id="somewhere else"),
        pytest.param(replace(ELSEWHERE, until_s=NOW_S), True, id="over"),
        pytest.param(replace(ELSEWHERE, host=socket.gethostname(), pid=2**22 + 1), True, id="dead on this machine"),
        pytest.param(
            replace(ELSEWHERE, host=socket.gethostname(), pid=os.getpid()), True, id="its number was used again"
        ),
        pytest.param(replace(myself("x", NOW_S), until_s=NOW_S + 9), False, id="alive on this machine"),
    ],
)
def test_only_one_that_is_over_or_dead_is_taken_over(holder: Holder, is_free: bool, tmp_path: Path) -> None:
    write(tmp_path, holder)
    if is_free:
        with held(open_store(str(tmp_path)), "me", clock=lambda: NOW_S) as lease:
            lease.check()
    else:
        with pytest.raises(LeaseTaken), held(open_store(str(tmp_path)), "me", clock=lambda: NOW_S):
            pass


def test_rubbish_is_no_lease(tmp_path: Path) -> None:
    (tmp_path / LEASE).write_text('{"name": "x"}')
    with held(open_store(str(tmp_path)), "me", clock=lambda: NOW_S) as lease:
        lease.check()


def test_a_lease_is_renewed_and_one_that_was_taken_is_noticed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    with held(store, "me", clock=lambda: NOW_S) as lease:
        lease.renew(NOW_S + 100)
        assert json.loads((tmp_path / LEASE).read_text())["until_s"] == NOW_S + 100 + LEASE_S

        (tmp_path / LEASE).unlink()
        write(tmp_path, ELSEWHERE)
        lease.renew(NOW_S + 200)
        with pytest.raises(ResultsError, match="the lease was lost"):
            lease.check()

    assert json.loads((tmp_path / LEASE).read_text())["name"] == "ann@far"


def test_a_process_elsewhere_is_never_known_to_be_dead() -> None:
    assert not is_dead(ELSEWHERE)
