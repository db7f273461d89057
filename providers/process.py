"""Processes that outlive us: started in a session of their own, found again by a mark in their environment, ended.

A mark is a variable with a value that nothing else on the machine has, such as the path of a run's folder. Unlike a
pid file it cannot be lost between a fork and a write, and it never points at a stranger that got a used pid.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from providers.contracts import Deadline
from upload.errors import ProviderError

POLL_S = 0.04
LOOKS = 2
PRIVATE = 0o077
END_S = 15.0


@dataclass(frozen=True, slots=True)
class Mark:
    """What every process of ours carries in its environment, and its children inherit."""

    variable: str
    value: str


def start(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start a program in its own session with exactly ``env``; stdout and stderr are appended to ``output``.

    Its own session: a signal for our terminal or process group must not reach it, and Jenkins' process killer, which
    looks for its cookies in environments, finds none. Files that it makes are readable by their owner only.
    Raises: ProviderError when the program cannot be started.
    """
    try:
        output.touch(mode=0o600)
        with output.open("ab") as sink:
            return subprocess.Popen(
                list(argv),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=PRIVATE,
            )
    except OSError as exc:
        raise ProviderError(f"{argv[0]} cannot be started: {exc.strerror or exc}") from exc


def marked(mark: Mark) -> tuple[psutil.Process, ...]:
    """Return the living processes that carry ``mark``, in no order. Zombies are dead."""
    return tuple(process for process, value in _carriers(mark.variable) if value == mark.value)


def marks(variable: str) -> frozenset[Mark]:
    """Return every mark of this variable that a living process carries."""
    return frozenset(Mark(variable, value) for _process, value in _carriers(variable))


def _carriers(variable: str) -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter():
        try:
            value = process.environ().get(variable)
            if value is not None and process.status() != psutil.STATUS_ZOMBIE:
                yield process, value
        except (psutil.Error, OSError):  # gone meanwhile, or somebody else's
            continue


def end(mark: Mark, *, deadline: Deadline) -> None:
    """Kill every process that carries ``mark`` and return when none is left.

    It looks until nothing was found twice: a process may fork between the look and the kill, and has no environment
    for the moment in which it becomes another program.
    Raises: ProviderError naming those that do not go away.
    """
    give_up_at = deadline.clock() + min(END_S, max(deadline.remaining_s(), 1.0))
    unseen = 0
    while unseen < LOOKS:
        living = marked(mark)
        unseen = 0 if living else unseen + 1
        if living and deadline.clock() >= give_up_at:
            names = ", ".join(describe(process) for process in living)
            raise ProviderError(f"processes do not end after SIGKILL: {names}")
        for process in living:
            _kill(process)
        time.sleep(POLL_S)  # not wait_procs: where nobody reaps orphans it would wait for zombies


def _kill(process: psutil.Process) -> None:
    try:
        process.send_signal(signal.SIGKILL)  # psutil compares the start time first: a reused pid is left alone
    except psutil.Error:
        return


def describe(process: psutil.Process) -> str:
    """Return a process as a person would look it up: ``etcd (pid 123)``."""
    try:
        return f"{process.name()} (pid {process.pid})"
    except psutil.Error:
        return f"pid {process.pid}"


def is_alive(pid: int) -> bool:
    """Say whether ``pid`` exists and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def stop(child: subprocess.Popen[bytes]) -> None:
    """Kill a child of ours with its process group, if it still runs, and reap it."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait(timeout=END_S)


def tail(path: Path, lines: int = 40) -> str:
    """Return the last ``lines`` lines of a file (at most its last 64 KiB), or an empty text."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 65536))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def pause(deadline: Deadline, seconds: float = POLL_S) -> None:
    """Wait a moment between two looks. Raises DeadlineExceeded when no time is left."""
    deadline.check()
    time.sleep(seconds)
