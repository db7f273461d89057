"""Counts cases: how many tests ended how, where a test may have had several attempts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from e2e.lifecycle.state import NO_TALLY, Tally
from upload.model import Case, Status

NAMES_KEPT = 500


def by_name(case: Case) -> Hashable:
    """Return what attempts of one test have in common, where a name is given once."""
    return case.name


def tally_of(
    cases: Iterable[Case], *, key: Callable[[Case], Hashable] = by_name, total: int = 0, base: Tally = NO_TALLY
) -> Tally:
    """Return the counts of ``cases``, attempts in their order: the last one says how a test ended.

    ``key``: what attempts of one test have in common; ``total``: how many tests there are at least, ended or not;
    ``base``: what is counted already.
    """
    ended: dict[Hashable, Case] = {}
    once_failed = set()
    for case in cases:
        ended[key(case)] = case
        if case.status is Status.FAILED:
            once_failed.add(key(case))
    counts = {status: sum(case.status is status for case in ended.values()) for status in Status}
    names = (*base.failed_names, *(case.name for case in ended.values() if case.status is Status.FAILED))
    return Tally(
        total=base.total + max(total, len(ended)),
        passed=base.passed + counts[Status.PASSED],
        failed=base.failed + counts[Status.FAILED],
        skipped=base.skipped + counts[Status.SKIPPED],
        failed_names=names[:NAMES_KEPT],
        flaky=base.flaky + sum(ended[each].status is Status.PASSED for each in once_failed),
    )
