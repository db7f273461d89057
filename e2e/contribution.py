"""What a party asks of kubernetes/test-infra: its bucket in kettle's list, and its jobs in TestGrid. consumers.md section 9."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard_feed.buckets import parse_buckets
from dashboard_feed.edit_buckets import with_bucket
from dashboard_feed.testgrid.config import render_config
from dashboard_feed.testgrid.edit_groups import group_names, with_dashboard
from e2e.specs import bucket_spec, tab_spec
from upload.errors import UsageError

if TYPE_CHECKING:
    from providers.config.model import JobConfig

BUCKETS = "kettle/buckets.yaml"
TESTGRIDS = "config/testgrids"
LARGEST_BYTES = 4 << 20
_HEADER = "# Made by `e2e contribute`: made again whenever the jobs change.\n"


@dataclass(frozen=True, slots=True)
class Change:
    """One file of a pull request. ``path`` is relative to the repository; ``old`` None: there was none."""

    path: str
    new: bytes
    old: bytes | None

    @property
    def is_empty(self) -> bool:
        """Whether the file is there already as it should be."""
        return self.new == self.old


@dataclass(frozen=True, slots=True)
class Contribution:
    """The files of the two pull requests: the one for kettle, and the one for TestGrid."""

    kettle: tuple[Change, ...]
    testgrid: tuple[Change, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """All files."""
        return (*self.kettle, *self.testgrid)


def contribution(jobs: Sequence[JobConfig], root: Path) -> Contribution:
    """Return what the jobs need upstream. Writes nothing.

    ``jobs``: all public configs of one party or several. ``root``: a checkout of kubernetes/test-infra, whose
    files then get what is missing, or any other folder: then the files hold what is new.
    Raises: UsageError for a job whose results nobody else can read, and for files that cannot be changed safely.
    """
    for job in jobs:
        if not job.results.is_public:
            raise UsageError(
                f"{job.job}: results.store is {job.results.store}, and others read buckets", hint="use gs://…"
            )
    return Contribution((_kettle(jobs, root),), tuple(_testgrid(jobs, root)))


def _kettle(jobs: Iterable[JobConfig], root: Path) -> Change:
    old = _read(root / BUCKETS)
    content = old or b""
    for spec in dict.fromkeys(map(bucket_spec, jobs)):
        known = parse_buckets(content, BUCKETS) if content else ()
        if any((each.uri, each.prefix) == (spec.uri, spec.prefix) for each in known):
            continue
        content = with_bucket(content, spec, BUCKETS)
    return Change(BUCKETS, content, old)


def _testgrid(jobs: Sequence[JobConfig], root: Path) -> Iterator[Change]:
    parties = sorted({job.party for job in jobs})
    own = {_own_file(party) for party in parties}
    homes = dict(_groups_elsewhere(root, own))
    tabs = {job.job: tab_spec(job) for job in jobs}
    edited: dict[str, tuple[bytes, bytes]] = {}
    for tab in tabs.values():
        if path := homes.get(tab.group):
            old, content = edited.get(path) or ((_read(root / path) or b""),) * 2
            edited[path] = old, with_dashboard(content, tab.group, tab.dashboard, path)
    for path, (old, content) in edited.items():
        yield Change(path, content, old)
    for party in parties:
        path, mine = _own_file(party), [tabs[job.job] for job in jobs if job.party == party]
        old_own = _read(root / path)
        _refuse_loss(old_own, path, known=tabs)
        groups = {tab.group for tab in mine} - set(homes)
        yield Change(path, (_HEADER + render_config(mine, groups=groups)).encode(), old_own)


def _own_file(party: str) -> str:
    return f"{TESTGRIDS}/{party}/config.yaml"


def _groups_elsewhere(root: Path, own: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each dashboard group that a file of the checkout has which is not ours, with that file."""
    skipped = {root / path for path in own}
    for file in sorted((root / TESTGRIDS).rglob("*.yaml")):
        if file not in skipped and file.is_file() and not file.is_symlink():
            path = str(file.relative_to(root))
            content = _read(file) or b""
            if b"dashboard_groups" in content:
                yield from ((name, path) for name in group_names(content, path))


def _refuse_loss(content: bytes | None, path: str, *, known: Iterable[str]) -> None:
    """Raise UsageError where a file would lose test groups: of jobs that are not given, or written by somebody else."""
    import yaml

    if content is None:
        return
    try:
        told = yaml.safe_load(content)
        there = {str(each["name"]) for each in told["test_groups"]}
    except (yaml.YAMLError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is no file of `e2e contribute`", hint="move it away") from error
    if lost := sorted(there - set(known)):
        listed = ", ".join(lost[:5]) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        raise UsageError(f"{path} has {listed} too, which would be lost", hint="give these jobs as well")


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error.strerror}") from error
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"{path}: larger than {LARGEST_BYTES} bytes")
    return content
