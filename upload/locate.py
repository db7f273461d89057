"""Find out what an address is (a store, a prefix, a job or a build) and list the builds below it, job by job.

Everything listed is hostile: what looks like no tree of builds is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from upload.errors import ResultsError
from upload.layout import (
    ARTIFACTS,
    BUILD_LOG,
    DIRECTORY,
    FINISHED,
    LATEST_BUILD,
    PULL_LOGS,
    PULLS,
    RESULTS_CACHE,
    STARTED,
    as_integer,
)
from upload.store.base import Store

MOST_CHILDREN = 20  # folders looked into to find out what a folder is
MOST_LEVELS = 3  # a store holds prefixes, these hold jobs, these hold builds


@dataclass(frozen=True, slots=True)
class JobPlace:
    """Where one job lies. Folders end in ``/`` and are relative to the store.

    ``folders`` hold its builds: one, or one for each pull request. ``shared`` holds what its builds share, None when
    that lies outside of the address. ``has_aliases``: its builds are those of pull requests.
    """

    name: str
    folders: tuple[str, ...]
    shared: str | None
    has_aliases: bool = False


def is_build(store: Store) -> bool:
    """Say whether a store's root is the folder of one build."""
    return _depth(store, "", 0) == 0


def find_jobs(store: Store) -> Iterator[JobPlace]:
    """Yield the jobs below a store's root, which is no build. Those of pull requests come last.

    Raises ResultsError for a folder of aliases: what they lead to lies outside of it.
    """
    address, last = f"{store.uri}/", store.uri.rsplit("/", 1)[-1]
    if f"/{DIRECTORY}" in address:
        above = address.partition(f"/{PULL_LOGS}")[0]
        raise ResultsError(f"{store.uri}: aliases are checked with their builds", hint=f"e2e verify {above}")
    if address.endswith(f"/{PULLS}"):
        yield from _pull_jobs(store, "", None)
        return
    is_below_pulls = f"/{PULLS}" in address
    pulls = None if is_below_pulls else _pull_logs(store)
    if pulls != "":  # else the address itself is pr-logs
        depth = _depth(store, "", MOST_LEVELS)
        for folder in _folders(store, "", depth - 1) if depth else ():
            name = folder.rstrip("/").rsplit("/", 1)[-1] or last
            yield JobPlace(name, (folder,), None if is_below_pulls else folder)
    if pulls is not None:
        yield from _pull_jobs(store, pulls + _below(PULLS), pulls + _below(DIRECTORY))


def list_builds(store: Store, job: JobPlace) -> Mapping[str, str]:
    """Return a job's builds: folder → id."""
    return {path: path[len(folder) : -1] for folder in job.folders for path in _children(store, folder)}


def _pull_logs(store: Store) -> str | None:
    """Return where pr-logs lies: below the root, or at it (empty); None when there is none."""
    names = {entry.path for entry in store.list("", delimiter="/")}
    if PULL_LOGS in names:
        return PULL_LOGS
    is_root = f"{store.uri}/".endswith(f"/{PULL_LOGS}")
    return "" if is_root and names & {_below(PULLS), _below(DIRECTORY)} else None


def _pull_jobs(store: Store, pulls: str, directory: str | None) -> Iterator[JobPlace]:
    """Yield the jobs of pull requests and batches, each once, with all the folders that hold builds of it."""
    found: dict[str, list[str]] = {}
    for folder in _pull_folders(store, pulls):
        for path in _children(store, folder):
            found.setdefault(path[len(folder) : -1], []).append(path)
    if directory is not None:
        for path in _children(store, directory):
            found.setdefault(path[len(directory) : -1], [])
    for name in sorted(found):
        yield JobPlace(name, tuple(found[name]), None if directory is None else f"{directory}{name}/", has_aliases=True)


def _pull_folders(store: Store, pulls: str) -> Iterator[str]:
    """Yield the folders that hold jobs: ``batch/`` and each ``ORG_REPO/NUMBER/``."""
    for path in _children(store, pulls):
        if path == f"{pulls}batch/":
            yield path
        else:
            yield from _children(store, path)


def _below(path: str) -> str:
    return path.removeprefix(PULL_LOGS)


def _children(store: Store, folder: str) -> list[str]:
    return [entry.path for entry in store.list(folder, delimiter="/") if entry.is_folder]


def _depth(store: Store, folder: str, most: int) -> int | None:
    """Return how many levels lie between a folder and its builds: 0 a build, 1 a job, 2 a prefix, 3 a store."""
    entries = list(store.list(folder, delimiter="/"))
    names = {e.path[len(folder) :] for e in entries}
    if names & {STARTED, FINISHED, BUILD_LOG} or (ARTIFACTS in names and not names & {LATEST_BUILD, RESULTS_CACHE}):
        return 0
    if most and names & {LATEST_BUILD, RESULTS_CACHE}:
        return 1
    if not most:
        return None
    children = sorted((e.path for e in entries if e.is_folder), key=lambda p: as_integer(p[len(folder) : -1]) or 0)
    for child in islice(reversed([path for path in children if path != PULL_LOGS]), MOST_CHILDREN):
        depth = _depth(store, child, most - 1)
        if depth is not None:
            return depth + 1
    return None


def _folders(store: Store, folder: str, levels: int) -> Iterator[str]:
    """Yield the jobs that lie ``levels`` below a folder. What holds no builds at that depth is something else."""
    if levels == 0:
        yield folder
        return
    for path in _children(store, folder):
        if path != PULL_LOGS and _depth(store, path, levels) == levels:
            yield from _folders(store, path, levels - 1)
