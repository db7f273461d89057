"""What the configs of one tree must not share: names that readers of all of them would take for one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from providers.config.document import shown_path
from providers.config.load import LoadedJob
from providers.config.places import Loc
from providers.config.problems import Place, Problem
from providers.config.rules import normalised
from providers.wording import visible


@dataclass(frozen=True, slots=True)
class Claim:
    """A name that a config takes. Who takes the same ``slot`` must say the same ``owner``.

    ``key`` is dotted, ``value`` what the file says, ``wanted`` what another one would have to be.
    """

    slot: tuple[str, ...]
    owner: str
    key: str
    value: str
    wanted: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A name that is taken, by whom and where."""

    owner: str
    value: str
    place: Place


@dataclass(slots=True)
class Claims:
    """What the configs that were looked at so far have taken; holds one name a slot, however many configs share it."""

    _taken: dict[tuple[str, ...], Taken] = field(default_factory=dict)

    def add(self, job: LoadedJob) -> Iterator[Problem]:
        """Take the names of one more config; yield a problem for each that another one has already."""
        told: set[str] = set()
        for claim in _claims(job):
            first = self._taken.get(claim.slot)
            if first is None:
                self._taken[claim.slot] = Taken(claim.owner, claim.value, _place(job, claim.key))
            elif first.owner != claim.owner and not _follows(claim, told, job):
                told.add(claim.key)
                taken = f"'{visible(claim.value)}' is taken by {first.place}"
                same_but = f" as '{visible(first.value)}'" if first.value != claim.value else ""
                yield Problem(_place(job, claim.key), claim.key, taken + same_but, claim.wanted)


def _follows(claim: Claim, told: set[str], job: LoadedJob) -> bool:
    """Say whether a problem only repeats one that was told: a tab is the job's name unless the file says otherwise."""
    return claim.key == "dashboard.tab" and "job" in told and ("dashboard", "tab") not in job.places


def _place(job: LoadedJob, key: str) -> Place:
    loc: Loc = tuple(key.split("."))
    return job.places.get(loc) or Place(shown_path(job.path))


def _claims(job: LoadedJob) -> Iterator[Claim]:
    """Yield the names in the order in which they explain each other.

    Sources: TestGrid config/config.go, validateAllUnique and validateReferencesExist; consumers.md section 3.
    """
    config, board = job.config, job.config.dashboard
    own = str(job.path)
    group = normalised(config.job)
    name = normalised(board.name)
    yield Claim(("group", group), own, "job", config.job, "a name that no other job has")
    tab = normalised(board.tab)
    yield Claim(("tab", name, tab), own, "dashboard.tab", board.tab, "a tab that no other job of the dashboard has")
    of_group = f"dashboard {board.name} of {board.group}"
    wanted = "one spelling and one group for each dashboard, and a name that no group has"
    yield Claim(("board", name), of_group, "dashboard.name", board.name, wanted)
    wanted = "one spelling for each group, and a name that no dashboard has"
    yield Claim(("board", normalised(board.group)), f"group {board.group}", "dashboard.group", board.group, wanted)
    if config.results.is_public:  # nobody else reads a folder
        root = config.results.root
        wanted = "one prefix for each folder of a bucket, and one such folder for each prefix"
        yield Claim(("prefix", config.bucket_prefix), root, "bucket_prefix", config.bucket_prefix, wanted)
        yield Claim(("bucket", root), config.bucket_prefix, "bucket_prefix", config.bucket_prefix, wanted)
