"""Where the builds of a bucket lie: periodic jobs below its root, those of pull requests and batches behind aliases.

What is listed is hostile: names that lead elsewhere are left alone, and no listing is read without an end.
Source: consumers.md section 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from upload.errors import ResultsError
from upload.layout import DIRECTORY, LATEST_BUILD, PULL_LOGS, PULLS, as_integer, check_object_name, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upload.store import Store

ALIAS_END = ".txt"
LONGEST_LINK_BYTES = 4096
_BATCH = "batch/"


@dataclass(frozen=True, slots=True)
class JobPlace:
    """One folder whose children are the builds of one job, or their aliases.

    ``folder`` ends in ``/`` and is relative to the bucket's root. ``is_aliased``: its children are objects ``ID.txt``
    that say where a build lies.
    """

    name: str
    folder: str
    is_aliased: bool = False

    @property
    def latest(self) -> str:
        """The object that names the latest build."""
        return self.folder + LATEST_BUILD


def find_places(store: Store, most: int) -> Iterator[JobPlace]:
    """Yield the places below a bucket's root, ``most`` at the most.

    ``pr-logs/``, as the root or below it, is read by its aliases; without them, pull request by pull request.
    """
    return islice(_places(store), most)


def list_ids(store: Store, place: JobPlace, *, start: str = "") -> Iterator[str]:
    """Yield the build ids of a place as the store sorts them, those of an offset and after it."""
    offset = place.folder + start if start else ""
    for entry in store.list(place.folder, delimiter="/", start_offset=offset):
        name = entry.path[len(place.folder) :]
        if place.is_aliased:
            if not entry.is_folder and name.endswith(ALIAS_END) and name != LATEST_BUILD:
                yield name.removesuffix(ALIAS_END)
        elif entry.is_folder and _is_name(name):
            yield name[:-1]


def build_folder(store: Store, place: JobPlace, number: str) -> str:
    """Return the folder of a build, ending in ``/``; for an aliased one its alias is read.

    Raises: ResultsError when the alias leads nowhere or out of the bucket; StoreError when it cannot be read.
    """
    if not place.is_aliased:
        return f"{place.folder}{number}/"
    path = f"{place.folder}{number}{ALIAS_END}"
    stored = store.read(path, limit_bytes=LONGEST_LINK_BYTES)
    link = stored.body.decode("utf-8", "replace").strip().rstrip("/") if stored else ""
    above, _, below = link.rpartition(f"/{PULL_LOGS}")
    base = place.folder.removesuffix(f"{_below(DIRECTORY)}{place.name}/")
    home = f"{store.uri}/".removesuffix(PULL_LOGS).rstrip("/")
    # a folder may be the copy of a bucket, whose address its aliases keep
    is_home = above == home or (store.uri.startswith("file://") and above.startswith("gs://"))
    if not is_home or not below.endswith(f"/{place.name}/{number}") or check_object_name(below):
        raise ResultsError(f"{path}: leads to {printable(link, 200)!r}, not to a build of this bucket")
    return f"{base}{below}/"


def pull_of(folder: str) -> str:
    """Return the pull request of a build's folder, ``ORG_REPO/NUMBER`` or ``batch``; empty for a periodic build."""
    parts = folder.removeprefix(PULL_LOGS).split("/")
    if parts[0] != "pull" or len(parts) < 5:
        return ""
    return "batch" if parts[1] == "batch" else "/".join(parts[1:3])


def folders(store: Store, prefix: str) -> Iterator[str]:
    """Yield the names of the folders right below one, without a slash."""
    for entry in store.list(prefix, delimiter="/"):
        name = entry.path[len(prefix) :]
        if entry.is_folder and _is_name(name):
            yield name[:-1]


def _places(store: Store) -> Iterator[JobPlace]:
    if f"{store.uri}/".endswith(f"/{PULL_LOGS}"):
        yield from _pull_places(store, "")
        return
    for name in folders(store, ""):
        if f"{name}/" == PULL_LOGS:
            yield from _pull_places(store, PULL_LOGS)
        else:
            yield JobPlace(name, f"{name}/")


def _pull_places(store: Store, base: str) -> Iterator[JobPlace]:
    directory, pulls = base + _below(DIRECTORY), base + _below(PULLS)
    has_aliases = False
    for name in folders(store, directory):
        has_aliases = True
        yield JobPlace(name, f"{directory}{name}/", is_aliased=True)
    if has_aliases:
        return
    for repository in folders(store, pulls):
        above = f"{pulls}{repository}/"
        if f"{repository}/" == _BATCH:
            yield from (JobPlace(name, f"{above}{name}/") for name in folders(store, above))
            continue
        for pull in folders(store, above):
            if as_integer(pull) is not None:
                yield from (JobPlace(name, f"{above}{pull}/{name}/") for name in folders(store, f"{above}{pull}/"))


def _below(path: str) -> str:
    return path.removeprefix(PULL_LOGS)


def _is_name(name: str) -> bool:
    """Tell a folder's name (with its slash) from what a store lists for an empty or a dotted part."""
    return name.count("/") == 1 and name[:-1] not in ("", ".", "..")
