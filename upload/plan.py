"""What a build puts into the store, in order: a pure value that can be printed, checked and sent.

artifacts → build-log.txt → finished.json → jobResultsCache.json → latest-build.txt. The first three are created once and
never replaced; the last two are shared by all builds of the job and merged when they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from upload.documents import CacheEntry, Finished, render_finished
from upload.layout import CLONE_RECORDS, BuildPaths, build_paths, content_type, is_text
from upload.model import BuildRef, Put

COMPRESS_BELOW_BYTES = 1024 * 1024
COMPRESS_FROM_BYTES = 512  # below this the header costs more than it saves

Body = bytes | Path


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one build writes after its claim. ``cache`` and ``latest`` are the paths of the shared objects."""

    build: BuildRef
    artifacts: tuple[Put, ...]
    log: Put | None
    finished: Put
    entry: CacheEntry
    cache: str
    latest: str

    def puts(self) -> tuple[Put, ...]:
        """Return what is created once, in the order in which it is sent."""
        log = (self.log,) if self.log else ()
        return (*self.artifacts, *log, self.finished)

    def paths(self) -> tuple[str, ...]:
        """Return every object path that is written, in order."""
        return (*(put.path for put in self.puts()), self.cache, self.latest)


def plan_build(build: BuildRef, artifacts: Mapping[str, Body], log: Body | None, finished: Finished) -> Plan:
    """Return the plan of a build.

    ``artifacts``: name below ``artifacts/`` → what a reader shall find there. A file is read when it is sent, and again
    on each try. Sorted by name, so that two plans of the same things are equal.
    Raises LayoutError when the build's names are bad; what is wrong with the contents is told by ``check_plan``.
    """
    paths = build_paths(build)
    return Plan(
        build=build,
        artifacts=tuple(_put(_place(paths, name), artifacts[name]) for name in sorted(artifacts)),
        log=Put(paths.log, log, content_type(paths.log)) if log is not None else None,
        finished=Put(paths.finished, render_finished(finished), content_type(paths.finished)),
        entry=CacheEntry(build.number, finished.version, finished.passed, finished.result),
        cache=paths.cache,
        latest=paths.latest,
    )


def _place(paths: BuildPaths, name: str) -> str:
    return (paths.folder if name == CLONE_RECORDS else paths.artifacts) + name  # prow's viewer looks for it there


def size_bytes(body: Body) -> int:
    """Return the size of a body before compression."""
    return len(body) if isinstance(body, bytes) else body.stat().st_size


def _put(path: str, body: Body) -> Put:
    # compressed only when it is read whole: viewers read ranges of logs, and a range of a compressed object is ignored
    compress = is_text(path) and COMPRESS_FROM_BYTES <= size_bytes(body) < COMPRESS_BELOW_BYTES
    return Put(path, body, content_type(path), content_encoding="gzip" if compress else "")
