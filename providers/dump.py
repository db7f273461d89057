"""Writes what a cluster looked like: component logs, every API object, events, versions, and what is missing from that.

Shape below the destination (DESIGN section 7)::

    nodes/<node>/<component>.log      resources/<group>_<version>_<plural>.jsonl      events.jsonl
    versions.json                     metadata.json      of machines: see providers/hosts/dump.py

A dump is best effort: what cannot be read is a line in ``metadata.json``, never an error that hides the run's first
failure. Pages are written as they come, so memory stays flat. The names of objects and kinds are hostile.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from providers.contracts import Context, Node
from providers.file_names import safe_name
from providers.redaction import redact
from upload.errors import DeadlineExceeded, ProviderError

if TYPE_CHECKING:
    from providers.api import Api
    from providers.discovery import Kind

LOG_BYTES = 32 * 1024 * 1024
OBJECT_BYTES = 256 * 1024 * 1024
COPY_BYTES = 1024 * 1024
# (group, plural): listed elsewhere, or not a stored object at all
SKIPPED = {("events.k8s.io", "events"), ("", "componentstatuses")}
EVENTS = ("", "events")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects are dumped. ``namespaces`` None: all objects; else those of these namespaces, and the nodes."""

    namespaces: tuple[str, ...] | None = None

    def paths(self, kind: Kind) -> tuple[str, ...]:
        """Return the list paths to read for one kind."""
        if self.namespaces is None or (kind.group, kind.plural) == ("", "nodes"):
            return (kind.path(),)
        if not kind.namespaced:
            return ()
        return tuple(kind.path(namespace) for namespace in self.namespaces)


@dataclass(slots=True)
class Report:
    """What becomes ``metadata.json``: counts of objects by file, what failed and why, what was cut."""

    objects: dict[str, int] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)
    cut: list[dict[str, Any]] = field(default_factory=list)
    written_bytes: int = 0

    def problem(self, what: str, error: str) -> None:
        """Record something that could not be dumped."""
        self.problems.append({"what": what, "error": error})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a dump comes from, and how much it may hold.

    ``connect`` opens the API; ``logs``: path below ``nodes/`` -> the file to copy, and ``nodes``: machines to ask,
    which both do not need the API; ``scope`` is asked once that answers. Limits in bytes: of each log that is copied,
    and of all objects together.
    """

    connect: Callable[[], Api]
    logs: Mapping[str, Path] = field(default_factory=dict)
    nodes: Sequence[Node] = ()
    scope: Callable[[Api], Scope] = lambda _api: Scope()
    log_bytes: int = LOG_BYTES
    object_bytes: int = OBJECT_BYTES


def dump_cluster(ctx: Context, dest: Path, source: Source) -> None:
    """Dump one cluster below ``dest``. Raises: ProviderError only when ``dest`` cannot be written."""
    started = time.monotonic()
    report = Report()
    try:
        dest.mkdir(parents=True, exist_ok=True)
        with ctx.steps.step("Copy logs"):
            _copy_logs(source, dest, report)
        if source.nodes:
            with ctx.steps.step("Dump machines"):
                _dump_machines(ctx, source, dest, report)
        with ctx.steps.step("Dump objects"):
            _dump_api(ctx, dest, source, report)
        metadata = {
            "cluster": ctx.cluster,
            "run": ctx.run,
            "seconds": round(time.monotonic() - started, 3),
            "logs": sorted(report.logs),
            "objects": dict(sorted(report.objects.items())),
            "cut": report.cut,
            "problems": report.problems,
        }
        _write_json(dest / "metadata.json", metadata)
    except OSError as exc:
        raise ProviderError(f"the dump cannot be written to {dest}: {exc}") from exc
    for problem in report.problems:
        ctx.steps.note(f"not dumped: {problem['what']}: {problem['error']}")


def _dump_machines(ctx: Context, source: Source, dest: Path, report: Report) -> None:
    from providers.hosts.dump import dump_nodes

    half_s = ctx.deadline.remaining_s() / 2  # so that objects come, too, where machines hang
    deadline = ctx.deadline.at_most(half_s, "the dump of machines")
    try:
        for dump in dump_nodes(source.nodes, dest, run=ctx.run, deadline=deadline):
            folder = f"nodes/{safe_name(dump.node)}"
            report.logs.extend(f"{folder}/{file.file}" for file in dump.files if file.kept_bytes)
            report.cut.extend(asdict(file) | {"file": f"{folder}/{file.file}"} for file in dump.cut)
            for problem in dump.problems:
                report.problem(f"{folder}/{problem['what']}", problem["error"])
    except DeadlineExceeded as error:
        report.problem("machines", str(error))


def _copy_logs(source: Source, dest: Path, report: Report) -> None:
    for target, log in sorted(source.logs.items()):
        path = dest.joinpath("nodes", *(safe_name(part) for part in target.split("/")))
        try:
            reader = log.open("rb")
        except OSError as exc:
            report.problem(f"nodes/{target}", exc.strerror or str(exc))
            continue
        with reader:
            path.parent.mkdir(parents=True, exist_ok=True)
            total = _copy_end(reader, path, source.log_bytes)
        name = path.relative_to(dest).as_posix()
        report.logs.append(name)
        if total > source.log_bytes:
            report.cut.append({"file": name, "kept_bytes": source.log_bytes, "total_bytes": total})


def _copy_end(reader: BinaryIO, path: Path, limit: int) -> int:
    """Copy the last ``limit`` bytes, where a failure is told, and return the whole size. The log may still grow."""
    total = reader.seek(0, 2)
    reader.seek(max(0, total - limit))
    left = min(limit, total)
    with path.open("wb") as writer:
        while left and (chunk := reader.read(min(COPY_BYTES, left))):
            writer.write(chunk)
            left -= len(chunk)
    return total


def _dump_api(ctx: Context, dest: Path, source: Source, report: Report) -> None:
    from providers.discovery import discover

    try:
        with source.connect() as api:
            _write_json(dest / "versions.json", {"kubernetes": api.get("/version")})
            chosen = source.scope(api)
            for kind in discover(api, report.problem):
                if (kind.group, kind.plural) not in SKIPPED:
                    ctx.deadline.check()
                    _dump_kind(ctx, api, kind, chosen, _Sink(dest, report, source.object_bytes))
    except (ProviderError, DeadlineExceeded) as error:
        report.problem("API objects", str(error))


@dataclass(frozen=True, slots=True)
class _Sink:
    dest: Path
    report: Report
    limit_bytes: int

    def write(self, name: str, lines: Iterable[bytes]) -> None:
        """Write one file of JSON lines, if there is at least one; stop at the limit and record that."""
        path = self.dest / name
        count = 0
        writer: BinaryIO | None = None
        try:
            for line in lines:
                if self.report.written_bytes + len(line) > self.limit_bytes:
                    self.report.cut.append({"file": name, "kept_objects": count})
                    break
                if writer is None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    writer = path.open("wb")
                writer.write(line)
                self.report.written_bytes += len(line)
                count += 1
        finally:
            if writer:
                writer.close()
            self.report.objects[name] = count


def _dump_kind(ctx: Context, api: Api, kind: Kind, scope: Scope, sink: _Sink) -> None:
    name = "events.jsonl" if (kind.group, kind.plural) == EVENTS else f"resources/{_file_name(kind)}"
    paths = scope.paths(kind)
    if not paths:
        return
    from providers.api import ApiUnreachable

    try:
        sink.write(name, _lines(ctx, api, kind, paths))
    except ApiUnreachable:  # then nothing else will be answered either
        raise
    except ProviderError as error:
        sink.report.problem(name, str(error))


def _file_name(kind: Kind) -> str:
    return safe_name("_".join(part for part in (kind.group or "core", kind.version, kind.plural))) + ".jsonl"


def _lines(ctx: Context, api: Api, kind: Kind, paths: Iterable[str]) -> Iterable[bytes]:
    identity = {"apiVersion": kind.api_version, "kind": kind.kind}
    for path in paths:
        for page in api.pages(path):
            ctx.deadline.check()
            for item in page:
                whole = identity | item | identity  # items of a list do not carry what they are
                text = json.dumps(redact(whole, ctx.keep_secret), separators=(",", ":"), ensure_ascii=False)
                yield text.encode("utf-8", "replace") + b"\n"


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
