"""Cases are counted by their last attempt."""

from __future__ import annotations

from e2e.lifecycle.counting import tally_of
from e2e.lifecycle.state import Tally
from upload.model import Case, Status

FAILED = Case("a", Status.FAILED, source="x")
PASSED = Case("a", Status.PASSED, source="x")


def test_last_attempt_counts_and_an_earlier_failure_makes_it_flaky() -> None:
    assert tally_of([FAILED, Case("b", Status.SKIPPED), PASSED]) == Tally(total=2, passed=1, skipped=1, flaky=1)


def test_one_name_in_two_files_is_two_tests_where_the_key_says_so() -> None:
    other = Case("a", Status.PASSED, source="y")

    assert tally_of([FAILED, other], key=lambda case: (case.source, case.name)) == Tally(2, 1, 1, 0, ("a",))


def test_cases_that_did_not_end_count_in_the_total_and_earlier_ones_come_first() -> None:
    assert tally_of([FAILED], total=3, base=Tally(2, 1, 1, 0, ("z",))) == Tally(5, 1, 2, 0, ("z", "a"))
