from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from providers import process
from providers.contracts import Deadline
from providers.process import Mark
from upload.errors import DeadlineExceeded, ProviderError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
# a child that forks another one and ends; the other one goes on
FORKER = [
    sys.executable,
    "-c",
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])",
]


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Mark]:
    mark = Mark("TEST_MARK", str(tmp_path))
    yield mark
    process.end(mark, deadline=Deadline.after(10, "the test"))


def environment(mark: Mark) -> dict[str, str]:
    return {"PATH": os.defpath, mark.variable: mark.value}


def start(argv: list[str], mark: Mark, folder: Path) -> subprocess.Popen[bytes]:
    return process.start(argv, env=environment(mark), cwd=folder, output=folder / "out")


def test_a_started_program_has_its_own_session_and_exactly_its_environment(
    tmp_path: Path, mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JENKINS_NODE_COOKIE", "x")

    child = start(SLEEP, mark, tmp_path)

    while not psutil.Process(child.pid).environ():  # there is none for a moment while the program starts
        time.sleep(0.01)
    assert os.getsid(child.pid) == child.pid
    assert psutil.Process(child.pid).environ() == environment(mark)
    process.stop(child)


def test_output_is_appended_and_private(tmp_path: Path, mark: Mark) -> None:
    for text in ("one", "two"):
        start([sys.executable, "-c", f"print('{text}'); open('made', 'w')"], mark, tmp_path).wait(timeout=20)

    assert process.tail(tmp_path / "out") == "one\ntwo"
    assert (tmp_path / "made").stat().st_mode & 0o077 == 0


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path, mark: Mark) -> None:
    with pytest.raises(ProviderError, match="cannot be started: No such file or directory"):
        start([str(tmp_path / "none")], mark, tmp_path)


def test_marked_processes_are_found_also_when_their_parent_is_gone(tmp_path: Path, mark: Mark) -> None:
    start(FORKER, mark, tmp_path).wait(timeout=20)

    found = process.marked(mark)

    assert len(found) == 1
    assert process.describe(found[0]).endswith(f"(pid {found[0].pid})")


def test_end_kills_the_marked_and_nobody_else(tmp_path: Path, mark: Mark) -> None:
    stranger = start(SLEEP, Mark(mark.variable, mark.value + "-other"), tmp_path)
    child = start(SLEEP, mark, tmp_path)
    start(FORKER, mark, tmp_path).wait(timeout=20)

    process.end(mark, deadline=Deadline.after(10, "the test"))

    assert process.marked(mark) == ()
    assert stranger.poll() is None
    assert child.wait(timeout=5) == -signal.SIGKILL
    process.stop(stranger)


def test_a_zombie_is_dead(tmp_path: Path, mark: Mark) -> None:
    child = start([sys.executable, "-c", ""], mark, tmp_path)
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)

    assert (process.is_alive(child.pid), process.marked(mark)) == (False, ())
    child.wait(timeout=5)


def test_end_gives_up_on_what_does_not_die(tmp_path: Path, mark: Mark, monkeypatch: pytest.MonkeyPatch) -> None:
    child = start(SLEEP, mark, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(psutil.Process, "send_signal", lambda _self, _signal: None)
        with pytest.raises(ProviderError, match=rf"do not end after SIGKILL: .* \(pid {child.pid}\)"):
            process.end(mark, deadline=Deadline.after(0.1, "the test"))
    process.stop(child)


def test_pausing_past_the_deadline_is_an_error() -> None:
    with pytest.raises(DeadlineExceeded):
        process.pause(Deadline.after(0, "the test"))


def test_the_tail_of_a_file_is_its_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\n" + b"x" * 70000 + b"\none\ntwo\n")

    assert (process.tail(path, 2), process.tail(tmp_path / "none")) == ("one\ntwo", "")
