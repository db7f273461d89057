"""Runs a program of a tester: in a process group of its own, its output kept, stopped with grace."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from upload.errors import HarnessError, UsageError

GRACE_S = 15.0  # between SIGINT and SIGKILL (DESIGN section 6)
TICK_S = 0.1
LINGER_S = 1.0  # how long the output of a grandchild is waited for
BLOCK_BYTES = 65536
TAIL_CHARS = 8_000


@dataclass(frozen=True, slots=True)
class Command:
    """What to run: the program and its arguments, its whole environment, its folder.

    ``keep``: a file that what it prints is appended to as it comes, so that it is there if we are killed.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    keep: Path | None = None


@dataclass(frozen=True, slots=True)
class Exit:
    """How it ended. ``code`` < 0: by that signal. ``stopped``: why we stopped it, None when it ended by itself."""

    code: int
    output_tail: str
    stopped: HarnessError | None = None


@dataclass(slots=True)
class Watch:
    """What goes on beside a child.

    ``output``: text as it comes; ``tick``: called about ten times a second; ``stop``: why it should stop now, or None;
    ``groups``: process groups to kill if we leave at once.
    """

    output: Callable[[str], None]
    tick: Callable[[], None]
    stop: Callable[[], HarnessError | None]
    groups: set[int]


def require_program(argv: Sequence[str], env: Mapping[str, str], *, key: str) -> None:
    """Raise UsageError when the program that ``key`` of the config names is not there."""
    if shutil.which(argv[0], path=env.get("PATH", "")) is None:
        raise UsageError(
            f"{key}: there is no program {argv[0]}",
            hint="give a name in PATH, or a path from the folder in which e2e is started",
        )


def run_child(command: Command, watch: Watch, *, grace_s: float = GRACE_S) -> Exit:
    """Run a program until it ends, or until ``watch.stop``: SIGINT to its group, ``grace_s``, SIGKILL.

    Whatever happens, nothing of its process group is alive afterwards.
    Raises: HarnessError when it cannot be started.
    """
    if reason := watch.stop():
        return Exit(-signal.SIGINT, "", reason)
    try:
        child = subprocess.Popen(
            list(command.argv),
            env=dict(command.env),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as exc:
        raise HarnessError(f"{command.argv[0]} cannot be started: {exc.strerror or exc}") from exc
    watch.groups.add(child.pid)
    try:
        return _Follower(child, watch, grace_s).follow()
    finally:
        _kill_group(child)
        watch.groups.discard(child.pid)


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


class _Follower:
    """Waits for a child, reads its output meanwhile, and stops it when it must."""

    def __init__(self, child: subprocess.Popen[bytes], watch: Watch, grace_s: float) -> None:
        self._child = child
        self._watch = watch
        self._grace_s = grace_s
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail = ""
        self._reason: HarnessError | None = None
        self._kill_at = 0.0

    def follow(self) -> Exit:
        assert self._child.stdout is not None
        os.set_blocking(self._child.stdout.fileno(), False)
        ended_at: float | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            while True:
                is_open = self._read(self._child.stdout) if selector.select(TICK_S) else True
                self._watch.tick()
                if self._child.poll() is not None:
                    ended_at = ended_at or time.monotonic()
                    if not is_open or time.monotonic() - ended_at > LINGER_S:
                        break
                    continue
                if not is_open:
                    time.sleep(TICK_S)  # it closed its output and goes on
                self._stop_if_asked()
        self._watch.tick()
        return Exit(self._child.returncode, self._tail, self._reason)

    def _read(self, stream: IO[bytes]) -> bool:
        try:
            block = os.read(stream.fileno(), BLOCK_BYTES)
        except BlockingIOError:
            return True
        text = self._decode.decode(block, final=not block)
        if text:
            self._tail = (self._tail + text)[-TAIL_CHARS:]
            self._watch.output(text)
        return bool(block)

    def _stop_if_asked(self) -> None:
        if self._reason is None:
            self._reason = self._watch.stop()
            if self._reason is not None:
                self._kill_at = time.monotonic() + self._grace_s
                self._signal(signal.SIGINT)
        elif time.monotonic() >= self._kill_at:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._child.pid, number)
