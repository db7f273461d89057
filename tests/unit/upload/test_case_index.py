from __future__ import annotations

from collections.abc import Sequence

import pytest

from upload.case_index import CaseIndex
from upload.model import Case, Status, SuiteEnding

P, F, S = Status.PASSED, Status.FAILED, Status.SKIPPED


def ending(cases: Sequence[Case]) -> SuiteEnding:
    with CaseIndex() as index:
        for case in cases:
            index.add(case)
        return index.ending()


@pytest.mark.parametrize(
    ("cases", "failed", "flaky"),
    [
        ((Case("[a]", F), Case("[a]", P)), (), ("[a]",)),
        ((Case("[a]", F), Case("[a]", F), Case("[a]", P)), (), ("[a]",)),
        ((Case("[a]", P), Case("[a]", F)), ("[a]",), ()),
        ((Case("[a]", F), Case("[a]", S)), ("[a]",), ()),
        ((Case("[a]", S), Case("[a]", P)), (), ()),
        ((Case("[a]", F), Case("[b]", P)), ("[a]",), ()),
        ((Case("[a]", F, source="1"), Case("[a]", P, source="2")), ("[a]",), ()),
        ((Case("[a]", F, source="1"), Case("[a]", P, source="1"), Case("[a]", P, source="2")), (), ("[a]",)),
        ((Case("[ReportAfterSuite] x", F), Case("[ReportAfterSuite] x", P)), ("[ReportAfterSuite] x",), ()),
        ((Case("[b]", F), Case("[a]", F)), ("[b]", "[a]"), ()),
        ((Case("[a]", F, source="1"), Case("[a]", F, source="2")), ("[a]",), ()),
        ((Case("[a]", F), Case("[a]", P), Case("[a]", F, source="2")), ("[a]",), ()),
        ((), (), ()),
    ],
)
def test_last_attempt_in_a_file_decides(cases: Sequence[Case], failed: tuple[str, ...], flaky: tuple[str, ...]) -> None:
    assert ending(cases) == SuiteEnding(len(cases), len(failed), failed, len(flaky), flaky)


def test_first_names_are_told_and_all_counted() -> None:
    cases = [Case(f"[{n}]", F) for n in range(2_500)]

    assert ending(cases) == SuiteEnding(2_500, failed=2_500, failed_names=tuple(f"[{n}]" for n in range(20)))
