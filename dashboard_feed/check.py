"""Look at the buckets of a federation file before they are read every day: reachable, listable, a sample of them sound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from dashboard_feed.beside import each_within
from dashboard_feed.places import JobPlace, build_folder, find_places, list_ids
from upload.errors import HarnessError, StoreError
from upload.layout import ID_DIGITS, as_integer, check_job, printable
from upload.model import Finding, Severity
from upload.store import Patience, open_store
from upload.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dashboard_feed.buckets import BucketSpec
    from upload.store import Store

MOST_JOBS = 2_000
MOST_IDS = 10_000
BUCKETS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class BucketCheck:
    """What a look at one bucket came to. ``builds``: the folders of those that were looked at, relative to the bucket."""

    spec: BucketSpec
    jobs: int = 0
    builds: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Tell whether some reader would break on it, or it cannot be read at all."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def check_buckets(
    specs: Sequence[BucketSpec], *, now_s: int, sample: int, bucket_s: float, patience: Patience
) -> tuple[BucketCheck, ...]:
    """Return one check for each bucket, in their order; several are looked at at once.

    ``sample``: the newest build of so many jobs of each bucket is verified. A bucket that takes longer than ``bucket_s``
    is an error finding. Never raises for what a bucket holds or answers.
    """

    def check(spec: BucketSpec) -> BucketCheck:
        checker = _Checker(spec, sample, now_s, patience)
        try:
            checker.check()
        except Exception as error:  # noqa: BLE001  # one bucket must not stop the others, whatever it answers
            what = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
            checker.note("bucket.unreadable", "", what)
        return BucketCheck(spec, checker.jobs, tuple(checker.builds), tuple(checker.findings))

    def late(spec: BucketSpec) -> BucketCheck:
        what = f"the bucket did not answer everything within {bucket_s:g} s"
        return BucketCheck(spec, findings=(Finding("bucket.slow", "", what),))

    return each_within(specs, check, at_once=BUCKETS_AT_ONCE, seconds=bucket_s, late=late)


class _Checker:
    """Gathers what is wrong with one bucket."""

    def __init__(self, spec: BucketSpec, sample: int, now_s: int, patience: Patience) -> None:
        self.spec = spec
        self.sample = sample
        self.now_s = now_s
        self.patience = patience
        self.jobs = 0
        self.builds: list[str] = []
        self.findings: list[Finding] = []

    def note(self, rule: str, place: str, what: str, severity: Severity = Severity.ERROR) -> None:
        self.findings.append(Finding(rule, place, what, severity=severity))

    def check(self) -> None:
        store = open_store(self.spec.uri, anonymous_too=True, patience=self.patience)
        places = [p for p in find_places(store, MOST_JOBS + 1) if not self.spec.excludes(p.name)]
        self.jobs = len({place.name for place in places})
        if len(places) > MOST_JOBS:
            self.note("bucket.jobs", "", f"more than {MOST_JOBS} jobs; the rest is not read")
        if not places:
            self.note("bucket.empty", "", "no job was found here: is this the folder whose children are jobs?")
        for place in _spread(places[:MOST_JOBS], self.sample):
            self.check_place(store, place)

    def check_place(self, store: Store, place: JobPlace) -> None:
        self.findings += (replace(f, object=place.folder) for f in check_job(place.name))
        ids = list(islice(list_ids(store, place), MOST_IDS))
        numbers = sorted((n for n in ids if as_integer(n) is not None), key=int, reverse=True)
        if not numbers:
            self.note("job.empty", place.folder, "no build with a plain integer for its id was found here")
            return
        if self.spec.sequential and len(numbers[0]) >= ID_DIGITS:
            what = (
                f"build ids such as {numbers[0]} do not count 1, 2, 3: set 'sequential: false' in the federation file"
            )
            self.note("bucket.sequential", place.folder, what)
        try:
            folder = build_folder(store, place, numbers[0])
        except StoreError:
            raise
        except HarnessError as error:
            self.note("alias.link", place.folder, str(error))
            return
        self.builds.append(folder)
        self.findings += self.verified(folder)

    def verified(self, folder: str) -> Iterator[Finding]:
        """Yield what readers find wrong with one build, and whether everybody may read and list it."""
        address = f"{self.spec.uri}{folder}"
        build = open_store(address, anonymous_too=True, patience=self.patience)
        public = open_store(address, anonymous=True, patience=self.patience) if address.startswith("gs://") else None
        try:
            report = verify(build, now_s=self.now_s, public=public)
        except HarnessError as error:
            yield Finding("build.unreadable", printable(folder), str(error))
            return
        for finding in report.findings:
            yield replace(finding, object=f"{printable(folder)}{finding.object}")


def _spread(places: Sequence[JobPlace], most: int) -> list[JobPlace]:
    """Return ``most`` of the places, taken at equal distances."""
    if len(places) <= most:
        return list(places)
    return [places[index * len(places) // most] for index in range(most)]
