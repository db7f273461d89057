"""Check what the builds of a job share (cache, latest build, aliases), and whether everybody may read the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from upload.check_build import read_checked
from upload.documents import parse_latest
from upload.errors import StoreError
from upload.layout import (
    ALIAS_LINK,
    FINISHED,
    LATEST_BUILD,
    NO_CACHE,
    RESULTS_CACHE,
    STARTED,
    as_integer,
    content_type,
)
from upload.locate import JobPlace
from upload.model import Finding
from upload.results_cache import has_entry, parse_cache
from upload.rules.documents import check_cache, check_latest
from upload.rules.table import broken
from upload.rules.tree import check_latest_against
from upload.store.base import ObjectStat, Store

LONGEST_LINK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class SharedReport:
    """What was found in the objects that a job's builds share. ``objects``: how many there are."""

    findings: tuple[Finding, ...]
    objects: int


def check_shared(store: Store, job: JobPlace, found: Mapping[str, str], finished: Mapping[str, str]) -> SharedReport:
    """Return what is wrong with what a job's builds share.

    ``found`` and ``finished``: folder → id of all builds, and of those with a finished.json, oldest first.
    """
    folder = job.shared or ""
    here = {e.path[len(folder) :] for e in store.list(folder, delimiter="/") if not e.is_folder}
    findings = [*_check_cache(store, folder, here, list(finished.values()))]
    findings += _check_latest(store, folder, here, list(finished.values()), list(found.values()))
    if job.has_aliases:
        findings += _check_aliases(store, folder, here, found)
    return SharedReport(tuple(findings), len(here))


def check_public(public: Store, folder: str) -> Iterator[Finding]:
    """Yield what somebody without credentials may not do. ``folder``: of some build, ending in ``/`` or empty."""
    try:
        next(public.list(folder), None)
    except StoreError as error:
        yield broken("bucket.list", folder, f"nobody but you may list it: {error}")
    try:
        if public.stat(folder + FINISHED) is None:
            public.read(folder + STARTED)
        else:
            public.read(folder + FINISHED)
    except StoreError as error:
        yield broken("bucket.read", folder, f"nobody but you may read it: {error}")


def _check_cache(store: Store, folder: str, here: set[str], finished: Sequence[str]) -> Iterator[Finding]:
    if RESULTS_CACHE not in here:
        return
    path = folder + RESULTS_CACHE
    body, found = read_checked(store, path, check_cache)
    yield from found
    if body is not None and finished and not parse_cache(body).damaged and not has_entry(body, finished[-1]):
        yield broken("cache.entry", path, f"build {finished[-1]} is finished and not in it")


def _check_latest(
    store: Store, folder: str, here: set[str], finished: Sequence[str], numbers: Sequence[str]
) -> Iterator[Finding]:
    path = folder + LATEST_BUILD
    if LATEST_BUILD not in here:
        if finished:
            yield broken("latest.text", path, "there is no latest-build.txt")
        return
    body, found = read_checked(store, path, check_latest)
    yield from found
    if body is not None:
        yield from check_latest_against(path, parse_latest(body), finished, numbers)
    stat = _headers(store, path)
    if stat is None:
        return
    if stat.content_type.split(";")[0] != content_type(path):
        yield broken("latest.headers", path, f"Content-Type is {stat.content_type!r}, text/plain is expected")
    if stat.cache_control != NO_CACHE:
        yield broken("latest.headers", path, f"Cache-Control is {stat.cache_control!r}, {NO_CACHE!r} is expected")


def _check_aliases(store: Store, folder: str, here: set[str], found: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is wrong between builds and their aliases: missing ones, and ones that lead elsewhere or nowhere."""
    for build, number in found.items():
        name = f"{number}.txt"
        if name not in here:
            yield broken("alias.missing", folder + name, f"build {build} has no alias")
        else:
            yield from _check_alias(store, folder + name, build)
    for name in sorted(here - {f"{number}.txt" for number in found.values()}):
        if as_integer(name.removesuffix(".txt")) is not None:
            yield broken("alias.link", folder + name, "its build is not there")


def _check_alias(store: Store, path: str, build: str) -> Iterator[Finding]:
    body, unread = read_checked(store, path, lambda _path, _body: ())
    yield from unread
    if body is None:
        return
    link = store.uri_of(build).rstrip("/")
    told = body[:LONGEST_LINK_BYTES].decode("utf-8", "replace").strip()
    stat = _headers(store, path)
    # a folder may be the copy of a bucket, whose address it keeps
    if told != link and (stat is not None or not told.endswith(f"/{build.rstrip('/')}")):
        yield broken("alias.link", path, f"its text is {told!r}, {link!r} is expected")
    if stat is not None and dict(stat.metadata).get(ALIAS_LINK) != link:
        yield broken("alias.link", path, f"its metadata {ALIAS_LINK!r} is not {link!r}")


def _headers(store: Store, path: str) -> ObjectStat | None:
    """Return what an object is served with; a folder has no headers."""
    return store.stat(path) if store.uri.startswith("gs://") else None
