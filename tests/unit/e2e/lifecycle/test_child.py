"""Programs of a tester: their output is kept, they are stopped with grace, and nothing of theirs stays."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from e2e.lifecycle.child import Command, Watch, run_child
from upload.errors import HarnessError, Interrupted


@dataclass
class Log:
    """Collects what a watch is told; asks for the stop once ``stop_after`` was printed."""

    stop_after: str = ""
    text: str = ""
    ticks: int = 0
    groups: set[int] = field(default_factory=set)

    def output(self, text: str) -> None:
        self.text += text

    def tick(self) -> None:
        self.ticks += 1

    def stop(self) -> HarnessError | None:
        return Interrupted(signal.SIGTERM) if self.stop_after and self.stop_after in self.text else None

    def watch(self) -> Watch:
        return Watch(self.output, self.tick, self.stop, self.groups)


def python(code: str, tmp_path: Path) -> Command:
    return Command([sys.executable, "-S", "-E", "-u", "-c", code], {"PATH": "/usr/bin:/bin"}, tmp_path)


def test_output_code_and_tail_are_kept(tmp_path: Path) -> None:
    log = Log()

    ended = run_child(
        python("import sys; print('grüße'); print('err', file=sys.stderr); sys.exit(3)", tmp_path), log.watch()
    )

    assert (ended.code, ended.output_tail, ended.stopped) == (3, "grüße\nerr\n", None)
    assert (log.text, log.ticks > 0, log.groups) == ("grüße\nerr\n", True, set())


def test_character_that_is_cut_between_two_reads_is_whole(tmp_path: Path) -> None:
    code = "import os, time; os.write(1, b'\\xc3'); time.sleep(0.3); os.write(1, b'\\xbc\\n')"
    log = Log()

    run_child(python(code, tmp_path), log.watch())

    assert log.text == "ü\n"


def test_stop_is_sigint_to_the_whole_group(tmp_path: Path) -> None:
    code = (
        "import os, time\npid = os.fork()\n"
        # short sleeps: a signal that comes just before one is seen after it
        "try:\n  os.write(1, b'ready\\n')\n  for _ in range(3000): time.sleep(0.02)\n"
        "except KeyboardInterrupt: os.write(1, b'child\\n' if pid == 0 else b'parent\\n')\n"
        "if pid: os.waitpid(pid, 0); os._exit(2)\nos._exit(0)\n"
    )
    log = Log(stop_after="ready\nready\n")

    ended = run_child(python(code, tmp_path), log.watch())

    assert (ended.code, str(ended.stopped)) == (2, "stopped by signal 15")
    assert sorted(log.text.split()) == ["child", "parent", "ready", "ready"]


def test_program_that_ignores_sigint_is_killed_after_the_grace(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('ready'); time.sleep(60)"
    log = Log(stop_after="ready")

    began = time.monotonic()
    ended = run_child(python(code, tmp_path), log.watch(), grace_s=0.3)

    assert (ended.code, 0.3 < time.monotonic() - began < 20) == (-signal.SIGKILL, True)


def test_grandchild_that_keeps_the_output_open_neither_blocks_nor_stays(tmp_path: Path) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '300']).pid)"
    log = Log()

    began = time.monotonic()
    ended = run_child(python(code, tmp_path), log.watch())

    assert (ended.code, time.monotonic() - began < 20) == (0, True)
    until = time.monotonic() + 5
    while psutil.pid_exists(int(log.text)) and time.monotonic() < until:
        if psutil.Process(int(log.text)).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.01)
    assert time.monotonic() < until


def test_program_is_not_started_when_it_should_stop_already(tmp_path: Path) -> None:
    log = Log()
    watch = Watch(log.output, log.tick, lambda: Interrupted(2), log.groups)

    ended = run_child(python(f"open({str(tmp_path / 'made')!r}, 'w')", tmp_path), watch)

    assert (str(ended.stopped), (tmp_path / "made").exists()) == ("stopped by signal 2", False)


def test_program_that_does_not_exist_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="/no/such cannot be started: No such file"):
        run_child(Command(["/no/such"], {}, tmp_path), Log().watch())
