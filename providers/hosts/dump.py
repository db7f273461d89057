"""Writes what machines know about a run: their logs, their pods' logs, their state. Needs SSH and nothing else.

Shape below the destination (DESIGN section 7)::

    nodes/<node>/kubelet.log, containerd.log, kernel.log, journal.log, syslog.log, …    nodes/<node>/<state>.txt
    nodes/<node>/pods/<namespace>_<pod>_<uid>/<container>/<restarts>.log
    nodes/<node>/dump.json, dump.log     what came, what was cut, what could not be read and why

Best effort: a machine that is dead, frozen or broken costs itself a line, the others nothing. A machine without the
mark of this run is somebody's: nothing of it is read. What machines say is hostile: names, sizes, an output that never ends.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from providers.contracts import Deadline, Node
from providers.file_names import safe_name
from providers.hosts.facts import script
from providers.hosts.sections import Begin, End, sections
from providers.nodes import fan_out
from providers.secret_patterns import PatternCensor
from providers.wording import visible
from upload.errors import CommandError, HarnessError, ProviderError

NODES = "nodes"
REPORT, READABLE = "dump.json", "dump.log"
_SUFFIXES = (".log", ".txt", ".json")
_NOT_OURS = 97  # dump.sh
_OWN_PARTS = 32  # of dump.sh, beside the files it finds
_DEEPEST = 4
_ERROR_CHARACTERS = 400
_LEAVE_S = 3.0  # so that machines that hang end by their own deadline, before the one of all
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken. Of a longer file or output its end stays, where a failure is told; ``seconds``: of a machine."""

    file_bytes: int = 16 * _MIB
    node_bytes: int = 128 * _MIB
    files: int = 2000
    seconds: float = 240.0


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class DumpedFile:
    """A file of the dump. ``file``: below the machine's folder; ``total_bytes``: of the whole, None if it broke off."""

    file: str
    kept_bytes: int
    total_bytes: int | None

    @property
    def is_cut(self) -> bool:
        """Say whether something of it is missing."""
        return self.total_bytes is None or self.kept_bytes < self.total_bytes


@dataclass(slots=True)
class NodeDump:
    """What became of one machine. ``problems``: pairs ``what`` and ``error``."""

    node: str
    files: list[DumpedFile] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def cut(self) -> list[DumpedFile]:
        """The files of which something is missing, also all of it."""
        return [file for file in self.files if file.is_cut]

    def problem(self, what: str, error: str) -> None:
        """Record something that could not be dumped."""
        self.problems.append({"what": what, "error": visible(error, _ERROR_CHARACTERS)})


def dump_nodes(
    nodes: Sequence[Node],
    dest: Path,
    *,
    run: str,
    deadline: Deadline,
    limits: Limits = LIMITS,
) -> tuple[NodeDump, ...]:
    """Dump the machines that carry the mark of ``run`` below ``dest/nodes``, many at once; return what became of each.

    Raises: ProviderError only when ``dest`` cannot be written; DeadlineExceeded when even leaving takes too long.
    """

    def dump(node: Node) -> NodeDump:
        started = time.monotonic()
        folder = dest / NODES / safe_name(node.name)
        seconds = max(0.0, min(limits.seconds, deadline.remaining_s() - _LEAVE_S))
        until = deadline.at_most(seconds, f"the dump of {node.name}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            taken = _take(node, _Folder(folder, NodeDump(node.name), limits), run, until)
            taken.seconds = round(time.monotonic() - started, 3)
            _write_report(folder, taken)
        except OSError as exc:
            raise ProviderError(f"the dump cannot be written to {folder}: {exc.strerror or exc}") from exc
        return taken

    return tuple(fan_out(nodes, dump, what="dumping machines", deadline=deadline).values())


class _TooMuch(Exception):
    """A machine says more than it was asked for."""


def _take(node: Node, folder: _Folder, run: str, until: Deadline) -> NodeDump:
    limits, report = folder.limits, folder.report
    words = (run, *(str(limit) for limit in (limits.file_bytes, limits.node_bytes, limits.files)))
    try:
        with node.stream(("sh", "-s", "--", *words), deadline=until, stdin=script("dump.sh")) as chunks:
            folder.fill(chunks)
    except CommandError as error:
        not_ours = error.code == _NOT_OURS
        report.problem(
            "machine", f"it does not carry the mark of {run}, so nothing of it is read" if not_ours else str(error)
        )
    except HarnessError as error:
        report.problem("machine", str(error))
    except (ValueError, _TooMuch) as exc:
        report.problem("machine", f"what it says cannot be used further: {exc}")
    finally:
        folder.close()
    return report


class _Folder:
    """The folder of one machine, filled from what it says."""

    def __init__(self, path: Path, report: NodeDump, limits: Limits) -> None:
        self.report = report
        self.limits = limits
        self._path = path
        self._open: _OpenFile | None = None
        self._names = {REPORT, READABLE}
        self._left_bytes = limits.node_bytes
        self._begun = 0

    def fill(self, chunks: Iterable[bytes]) -> None:
        """Write what comes. Raises: ValueError, _TooMuch, HarnessError of the machine, OSError of ours."""
        for item in sections(chunks):
            if isinstance(item, bytes):
                self._left_bytes -= len(item)
                if self._left_bytes < 0:
                    raise _TooMuch(f"more than {self.limits.node_bytes} bytes")
                if self._open:
                    self._open.write(item)
            elif isinstance(item, Begin):
                self._begin(item.name)
            elif isinstance(item, End):
                self._end(item)
            elif item.count:
                self.report.problem("files", f"{item.count} more than {self.limits.files} are left out")

    def close(self) -> None:
        """End the file that is open, which has broken off then."""
        if self._open:
            self.report.files.append(self._open.close(None))
            self._open = None

    def _begin(self, raw: bytes) -> None:
        self._begun += 1
        if self._begun > self.limits.files + _OWN_PARTS:
            raise _TooMuch(f"more than {self.limits.files} files")
        name = self._unused(file_name(raw))
        try:
            self._open = _OpenFile(self._path, name, self.limits.file_bytes)
        except OSError as exc:  # of this name only, such as a file where a folder is needed
            self._open = None
            self.report.problem(name, exc.strerror or str(exc))

    def _end(self, end: End) -> None:
        if not self._open:
            return
        file = self._open.close(end.total_bytes)
        self._open = None
        self.report.files.append(file)
        if end.code:
            self.report.problem(file.file, f"its command ended with code {end.code}")

    def _unused(self, name: str) -> str:
        tried, number = name, 1
        while tried in self._names:
            number += 1
            stem, dot, suffix = name.rpartition(".")
            tried = f"{stem}-{number}{dot}{suffix}"
        self._names.add(tried)
        return tried


class _OpenFile:
    def __init__(self, folder: Path, name: str, limit_bytes: int) -> None:
        self._path = folder / name
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = self._path.open("xb")
        self._name = name
        self._left = limit_bytes
        self._kept = 0
        self._censor = PatternCensor()

    def write(self, content: bytes) -> None:
        taken = content[: self._left]
        self._left -= len(taken)
        self._kept += len(taken)
        self._file.write(self._censor.feed(taken))

    def close(self, total_bytes: int | None) -> DumpedFile:
        with self._file:
            self._file.write(self._censor.finish())
        if not self._kept:
            self._path.unlink()
        return DumpedFile(self._name, self._kept, total_bytes)


def file_name(raw: bytes) -> str:
    """Return where a file that a machine calls so goes below the machine's folder: ends in .log, .txt or .json."""
    parts = [part for part in raw.decode("utf-8", "backslashreplace").split("/") if part]
    parts = [*parts[: _DEEPEST - 1], "/".join(parts[_DEEPEST - 1 :])] if len(parts) > _DEEPEST else parts or [""]
    names = [safe_name(part) for part in parts]
    if not names[-1].endswith(_SUFFIXES):
        names[-1] += ".log"
    return "/".join(names)


def _write_report(folder: Path, dump: NodeDump) -> None:
    document = {
        "node": dump.node,
        "seconds": dump.seconds,
        "files": [asdict(file) for file in dump.files],
        "cut": [asdict(file) for file in dump.cut],
        "problems": dump.problems,
    }
    (folder / REPORT).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (folder / READABLE).write_text("".join(f"{line}\n" for line in _lines(dump)), encoding="utf-8")


def _lines(dump: NodeDump) -> Iterable[str]:
    for file in dump.files:
        if file.total_bytes is None:
            yield f"{file.file}: {file.kept_bytes} bytes, then it broke off"
        elif file.is_cut:
            yield f"{file.file}: the last {file.kept_bytes} of {file.total_bytes} bytes"
        else:
            yield f"{file.file}: {file.kept_bytes} bytes"
    for problem in dump.problems:
        yield f"not dumped: {problem['what']}: {problem['error']}"
