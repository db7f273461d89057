"""Build programs from a Go module, a pinned one or a checkout, with the ``go`` of this machine."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

from providers.fanout import Limit
from providers.releases.programs import Program
from providers.releases.sources import Platform, Progress, Sources
from upload.errors import CommandError, ProviderError

TAIL_LINES = 40
GRACE_S = 5.0
_POLL_S = 0.5
_PACKAGE = re.compile(r"[\w.~/-]+")  # what ``go build -v`` tells of each one
_IMPORTED = ("go", "list", "-f", '{{join .TestImports "\\n"}}')


@dataclass(frozen=True, slots=True)
class Go:
    """A ``go`` command: its path and its version, ``1.26.8``."""

    path: str
    version: str


def find_go(env: Mapping[str, str], limit: Limit) -> Go:
    """Return the ``go`` on PATH. Raises ProviderError when there is none, or when it does not run."""
    path = shutil.which("go", path=env.get("PATH", ""))
    if path is None:
        raise ProviderError("there is no go on PATH", hint="install Go 1.26 or newer from go.dev/dl")
    said = run_go(("go", "env", "GOVERSION"), GoCall(path, Path("/"), go_env(env), limit))
    version = re.search(r"go(\d+\.\d+(?:\.\d+)?)", said)
    if version is None:
        raise ProviderError(f"{path} does not tell its version but {said!r}")
    return Go(path, version.group(1))


class Module(Protocol):
    """What programs are built from."""

    @property
    def project(self) -> str:
        """Whose it is."""

    @property
    def version(self) -> str:
        """The project's version."""

    @property
    def folder(self) -> Path:
        """Where ``go`` works; it only reads there."""

    @property
    def go(self) -> str:
        """The least Go that builds it."""

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of ``go build`` that decide what comes out."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The variables of ``go`` that are fixed for it: ``GOFLAGS``, ``GOWORK``."""


def require_go(go: Go, module: Module) -> None:
    """Raise ProviderError when ``go`` is older than the module needs."""
    if _numbers(go.version) < _numbers(module.go):
        raise ProviderError(
            f"Go >= {module.go} is needed for {module.project} {module.version}, found {go.version} ({go.path})",
            hint="install a newer Go from go.dev/dl",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def go_env(env: Mapping[str, str], *, platform: Platform | None = None, offline: bool = False) -> dict[str, str]:
    """Return the environment for ``go``: the caller's (its proxy, its credentials), with what changes a build fixed.

    ``GOTOOLCHAIN=local``: a newer toolchain is never fetched behind the user's back. ``GOMEMLIMIT`` bounds what the
    relaxed garbage collection of each compiler may keep.
    """
    fixed = {
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GO111MODULE": "on",
        "CGO_ENABLED": "0",
    }
    if platform is not None:
        fixed |= {"GOOS": platform.os, "GOARCH": platform.arch}
    if offline:
        fixed["GOPROXY"] = "off"
    return {**env, **fixed}


def build(module: Module, programs: Sequence[Program], into: Path, *, sources: Sources, limit: Limit) -> None:
    """Build ``programs``, all of one module, into the folder ``into``, each under its own name.

    One ``go build`` for all: they share most of their packages, and two linkers run beside each other. ``go test``
    cannot tell how far it is, so what a test program imports is built by ``go build`` before it; and
    it would vet every package, which takes longer than to compile them.
    Raises: ProviderError (no Go, too old, CommandError with the tail of what go said), DeadlineExceeded.
    """
    go = find_go(sources.env, limit)
    require_go(go, module)
    env = {**go_env(sources.env, platform=sources.platform, offline=sources.offline), **module.settings}
    call = GoCall(go.path, module.folder, env, limit)
    mains = [program for program in programs if not program.is_test]
    packages = [program.package for program in mains]
    tests = [program for program in programs if program.is_test]
    title = ", ".join(program.name for program in programs)
    modules = _Counter(title, "modules", 0, sources.progress, prefix="go: downloading ")
    imported = {test.name: run_go((*_IMPORTED, test.package), call, modules.see).split() for test in tests}
    whole = (*packages, *chain.from_iterable(imported.values()))
    wanted = len(run_go(("go", "list", "-deps", *whole), call, modules.see).split())
    made = _Counter(title, "packages", wanted, sources.progress)
    if mains:
        run_go(("go", "build", "-v", "-o", f"{into}{os.sep}", *module.flags, *packages), call, made.see)
    for program in mains:
        built = into / _go_name(program.package)
        if built != into / program.name:
            built.rename(into / program.name)
    for test in tests:
        run_go(("go", "build", "-v", *module.flags, *imported[test.name]), call, made.see)
        run_go(("go", "test", "-c", "-vet=off", "-o", str(into / test.name), *module.flags, test.package), call)
    sources.progress(Progress(title, wanted, wanted, "packages"))  # what was compiled before is never counted


def _go_name(package: str) -> str:
    """Return the file name that ``go build`` gives a package: the last element that is no major version."""
    parts = package.split("/")
    return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


@dataclass(slots=True)
class _Counter:
    """Counts the lines of ``go`` that tell of one piece of work."""

    title: str
    unit: str
    total: int
    tell: Callable[[Progress], None]
    prefix: str = ""
    done: int = 0

    def see(self, line: str) -> None:
        is_piece = line.startswith(self.prefix) if self.prefix else not line.startswith(("go: ", "#", " ", "\t"))
        if is_piece:
            self.done += 1
            self.tell(Progress(self.title, self.done, self.total, self.unit))


@dataclass(frozen=True, slots=True)
class GoCall:
    """Which ``go``, where, with what environment, until when."""

    path: str
    folder: Path
    env: Mapping[str, str] = field(repr=False)
    limit: Limit


def run_go(argv: Sequence[str], call: GoCall, see: Callable[[str], None] = lambda _line: None) -> str:
    """Run ``go`` in a session of its own, give each line of its stderr to ``see``, and return its stdout.

    Whatever ends the wait (the deadline, Ctrl-C, a signal) ends the compilers too.
    Raises: CommandError with the tail of stderr, DeadlineExceeded, ProviderError when it does not start.
    """
    try:
        child = subprocess.Popen(
            (call.path, *argv[1:]),
            cwd=call.folder,
            env=dict(call.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as exc:
        raise ProviderError(f"{call.path} cannot be started: {exc.strerror}") from exc
    with child:
        try:
            output, tail = _follow(child, call, see)
            code = child.wait(max(call.limit.deadline.remaining_s(), GRACE_S))
        finally:
            _end(child)
    if code != 0:
        full = any("no space left on device" in line for line in tail)
        hint = "free about 5 GB in the folder that `go env GOCACHE` prints" if full else ""
        raise CommandError(argv[:2] if len(argv) > 2 else argv, code, "\n".join(tail), hint=hint)
    return output


def _follow(child: subprocess.Popen[bytes], call: GoCall, see: Callable[[str], None]) -> tuple[str, Sequence[str]]:
    assert child.stdout is not None
    assert child.stderr is not None
    output, rest = bytearray(), b""
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        selector.register(child.stderr, selectors.EVENT_READ)
        while selector.get_map():
            call.limit.check()
            for ready, _ in selector.select(_POLL_S):
                block = os.read(ready.fd, 65536)
                if not block:
                    selector.unregister(ready.fileobj)
                elif ready.fileobj is child.stdout:
                    output += block
                else:
                    *lines, rest = (rest + block).split(b"\n")
                    for line in (raw.decode("utf-8", "replace") for raw in lines):
                        see(line)
                        if not _PACKAGE.fullmatch(line):  # go builds on behind an error: they would push it out
                            tail.append(line)
    if rest:
        tail.append(rest.decode("utf-8", "replace"))
    return output.decode("utf-8", "replace"), tuple(tail)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End go and its compilers: SIGTERM to the group, SIGKILL after a grace. Nothing to do when go has ended."""
    if child.poll() is not None:
        return
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            return
        give_up_at = time.monotonic() + wait_s
        while time.monotonic() < give_up_at:
            if child.poll() is not None:
                break
            time.sleep(0.05)
        else:
            continue
        break
    try:
        os.killpg(child.pid, signal.SIGKILL)  # compilers that outlive go
    except ProcessLookupError:
        return
