"""A build id is taken by creating its started.json, which must not exist. Source: DESIGN section 6, ADR 2; consumers.md 1.

The claim is also the write probe: a store that cannot be written is found out before anything is created.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

from upload.documents import Started, parse_latest, render_started
from upload.errors import LayoutError, PreconditionFailed, ResultsError, UsageError
from upload.layout import (
    ALIAS_LINK,
    ID_DIGITS,
    LARGEST_BUILD_ID,
    as_integer,
    build_paths,
    check_number,
    content_type,
)
from upload.model import BuildRef, Put
from upload.store.base import Store

MOST_TRIES = 60
_DOCUMENT_BYTES = 1024 * 1024


def claim(
    store: Store,
    wanted: BuildRef,
    started: Started,
    *,
    now_s: int,
    token: Callable[[], str] = lambda: secrets.token_hex(8),
) -> BuildRef:
    """Create started.json of a new build and return the build.

    ``wanted.number`` is empty for the next free id: ``now_s`` in UTC as ``YYYYMMDDHHMMSS``; taken, or not above
    latest-build.txt: one second more, at most 60 tries. Otherwise that id is taken or nothing: an integer below 2**53, as
    wide as the job's ids are.
    Raises UsageError for an id that cannot be used, ResultsError when none is free, LayoutError for a bad job name,
    StoreError when the store cannot be written.
    """
    newest = newest_number(store, wanted.prefix, wanted.job)
    if wanted.number:
        check_asked(wanted.number, newest)
        candidates = iter([wanted.number])
    else:
        candidates = _numbers(now_s, newest, wanted.job)
    started = replace(started, claim=token())
    for number in candidates:
        build = replace(wanted, number=number)
        try:
            for put in claim_puts(store, build, started):
                store.put(put)
        except PreconditionFailed:
            continue
        return build
    if wanted.number:
        raise UsageError(
            f"build {wanted.number} of {wanted.job} exists already in {store.uri}",
            hint="leave --build out to get the next free id",
        )
    raise ResultsError(
        f"{store.uri}: no free build id of {wanted.job} within {MOST_TRIES} s", hint="try again in a minute"
    )


def claim_puts(store: Store, build: BuildRef, started: Started) -> tuple[Put, ...]:
    """Return what claims a build, in order, each create-only: started.json, and before it a pull request's alias.

    The ids of a job are unique across pull requests, whose builds lie in different folders: the alias tells them apart.
    """
    paths = build_paths(build)
    put = Put(paths.started, render_started(started), content_type(paths.started))
    if not paths.alias:
        return (put,)
    link = store.uri_of(paths.folder).rstrip("/")
    alias = Put(paths.alias, link.encode(), content_type(paths.alias), metadata=((ALIAS_LINK, link),))
    return (alias, put)


def newest_number(store: Store, prefix: str, job: str) -> str:
    """Return the build id in a job's latest-build.txt, empty when there is none. Raises LayoutError: no integer."""
    probe = build_paths(BuildRef(prefix, job, "1"))  # checks the names before anything is read
    stored = store.read(probe.latest, limit_bytes=_DOCUMENT_BYTES)
    number = parse_latest(stored.body) if stored else ""
    if number and as_integer(number) is None:
        raise LayoutError(check_number(number))
    return number


def next_number(newest: str, now_s: int) -> str:
    """Return the id a build would get now: the time, or one above the newest. Pure; for a dry run too."""
    number = int(dt.datetime.fromtimestamp(now_s, tz=dt.UTC).strftime("%Y%m%d%H%M%S"))
    return str(max(number, int(newest or 0) + 1))


def _numbers(now_s: int, newest: str, job: str) -> Iterator[str]:
    if len(newest) > ID_DIGITS:
        raise UsageError(
            f"the ids of {job} have {len(newest)} digits; ours have {ID_DIGITS} and would sort before them",
            hint="publish under a job name of its own",
        )
    numbers = [next_number("", now_s + second) for second in range(MOST_TRIES)]
    if int(newest or 0) >= int(numbers[-1]):
        raise ResultsError(
            f"the newest build of {job} is {newest}, but it is {numbers[0]} by this machine's clock", hint="date -u"
        )
    yield from (number for number in numbers if int(number) > int(newest or 0))


def check_form(build: str) -> None:
    """Raise UsageError for text that is no id of a build of ours, whatever the store holds."""
    value = as_integer(build)
    if value is None or not 0 < value < LARGEST_BUILD_ID:
        raise UsageError(f"--build {build}: a plain integer between 1 and 2**53 is expected")


def check_asked(build: str, newest: str) -> None:
    """Raise UsageError for an id that cannot be claimed in a job whose newest one is ``newest``, or empty."""
    check_form(build)
    if newest and len(build) != len(newest):
        # kettle scans by range: "1" would swallow build "10"
        raise UsageError(f"--build {build}: the job's ids have {len(newest)} digits, as in {newest}")
