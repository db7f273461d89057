from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contracts import Deadline
from tests.support.lab.records import Ledger, Owner, Record, is_abandoned, start_of, started_ticks, this_process
from tests.support.lab.values import LabHost
from upload.errors import DeadlineExceeded

HOST = LabHost("h1", "10.66.0.11", "root", Path("/labs/key"), "ssh-ed25519 AAAA")
STAT = "{pid} ({name}) {state} 1 10 10 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 10 18446744073709551615"


@given(
    st.builds(
        Record,
        number=st.integers(0, 7),
        boot=st.text(),
        owner=st.none() | st.builds(Owner, pid=st.integers(1), started=st.integers(0)),
        hosts=st.lists(st.just(HOST), max_size=3).map(tuple),
    )
)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(
    ("name", "state", "ticks"),
    [
        pytest.param("python3", "S", 987654, id="plain"),
        pytest.param("a) R 1 (b", "R", 987654, id="a-name-like-fields"),
        pytest.param("gone", "Z", None, id="zombie"),
    ],
)
def test_a_process_is_told_by_when_it_started(name: str, state: str, ticks: int | None) -> None:
    assert started_ticks(STAT.format(pid=7, name=name, state=state)) == ticks


def test_a_process_that_is_not_there_never_started() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()

    assert start_of(child.pid) is None
    assert start_of(os.getpid()) == this_process().started


@pytest.mark.parametrize(
    ("record", "abandoned"),
    [
        pytest.param(None, True, id="no-record"),
        pytest.param(Record(0, "this", Owner(7, 100)), False, id="owner-lives"),
        pytest.param(Record(0, "this", Owner(7, 99)), True, id="pid-of-somebody-else"),
        pytest.param(Record(0, "this", Owner(8, 100)), True, id="owner-gone"),
        pytest.param(Record(0, "last", Owner(7, 100)), True, id="machine-was-restarted"),
        pytest.param(Record(0, "this", None), False, id="kept"),
        pytest.param(Record(0, "last", None), True, id="kept-before-a-restart"),
    ],
)
def test_a_lab_is_abandoned_when_nobody_will_remove_it(record: Record | None, abandoned: bool) -> None:
    assert is_abandoned(record, "this", {7: 100}.get) is abandoned


def test_labs_are_found_also_with_a_broken_record(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    whole = Record(1, "this", this_process(), (HOST,))
    ledger.write(whole)
    for number, text in {2: "{", 3: "[]", 4: '{"number": 4, "boot": "x", "owner": 5, "hosts": []}', 5: None}.items():
        ledger.of(number).mkdir()
        if text is not None:
            (ledger.of(number) / "record.json").write_text(text)
    ledger.of(6).mkdir()
    (ledger.of(6) / "record.json").write_text(json.dumps(whole.to_json()))  # of another lab

    assert ledger.labs() == {1: whole, 2: None, 3: None, 4: None, 5: None, 6: None}


def test_labs_are_made_and_removed_one_at_a_time(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "labs")
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0
        return now

    with ledger.locked(Deadline.after(5, "waiting", clock)):
        assert (tmp_path / "labs").stat().st_mode & 0o777 == 0o700
        with pytest.raises(DeadlineExceeded), Ledger(tmp_path / "labs").locked(Deadline.after(1.5, "waiting", clock)):
            pytest.fail("two held the lock")
    with ledger.locked(Deadline.after(5, "waiting", clock)):
        pass
