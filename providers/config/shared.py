"""What the configs of one tree must not share: names that readers of all of them would take for one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from providers.config.document import Loc, shown_path
from providers.config.load import LoadedJob
from providers.config.problems import Place, Problem
from providers.config.rules import normalised
from providers.wording import visible

_BUCKET = "gs://"


@dataclass(frozen=True, slots=True)
class Claim:
    """A name that a config takes. Who takes the same ``slot`` must say the same ``owner``.

    ``key`` is dotted, ``value`` what the file says, ``wanted`` what another one would have to be.
    """

    slot: tuple[str, ...]
    owner: str
    key: str
    value: str
    place: Place
    wanted: str


@dataclass(slots=True)
class Claims:
    """What the configs that were looked at so far have taken; holds one claim a slot, however many configs share it."""

    _taken: dict[tuple[str, ...], Claim] = field(default_factory=dict)

    def add(self, job: LoadedJob) -> Iterator[Problem]:
        """Take the names of one more config; yield a problem for the first that another one has already."""
        for claim in _claims(job):
            first = self._taken.setdefault(claim.slot, claim)
            if first.owner != claim.owner:
                taken = f"'{visible(claim.value)}' is taken by {first.place}"
                same_but = f" as '{visible(first.value)}'" if first.value != claim.value else ""
                yield Problem(claim.place, claim.key, taken + same_but, claim.wanted)
                return


def _claims(job: LoadedJob) -> Iterator[Claim]:
    """Yield the names in the order in which they explain each other.

    Sources: TestGrid config/config.go, validateAllUnique and validateReferencesExist; consumers.md section 3.
    """
    config, board = job.config, job.config.dashboard
    own = shown_path(job.path)

    def claim(slot: tuple[str, ...], owner: str, key: str, value: str, wanted: str) -> Claim:
        loc: Loc = tuple(key.split("."))
        return Claim(slot, owner, key, value, job.places.get(loc) or Place(own), wanted)

    group = normalised(config.job)
    name = normalised(board.name)
    yield claim(("group", group), own, "job", config.job, "a name that no other job has")
    tab = normalised(board.tab)
    yield claim(("tab", name, tab), own, "dashboard.tab", board.tab, "a tab that no other job of the dashboard has")
    of_group = f"dashboard {board.name} of {board.group}"
    wanted = "one spelling and one group for each dashboard, and a name that no group has"
    yield claim(("board", name), of_group, "dashboard.name", board.name, wanted)
    wanted = "one spelling for each group, and a name that no dashboard has"
    yield claim(("board", normalised(board.group)), f"group {board.group}", "dashboard.group", board.group, wanted)
    root = f"{config.results.store.rstrip('/')}/{config.results.prefix}/"
    if root.startswith(_BUCKET):  # nobody else reads a folder
        wanted = "one prefix for each folder of a bucket, and one such folder for each prefix"
        yield claim(("prefix", config.bucket_prefix), root, "bucket_prefix", config.bucket_prefix, wanted)
        yield claim(("bucket", root), config.bucket_prefix, "bucket_prefix", config.bucket_prefix, wanted)
