"""A plan read back is the plan written, so that a later process sends the same."""

from __future__ import annotations

from pathlib import Path

from e2e.lifecycle.frozen import read_plan, write_plan
from upload.documents import Finished
from upload.errors import Outcome
from upload.model import BuildRef
from upload.plan import plan_build


def test_plan_is_read_back_with_files_and_bytes(tmp_path: Path) -> None:
    copy = tmp_path / "files" / "a"
    copy.parent.mkdir()
    copy.write_text("text " * 500)
    finished = Finished.from_outcome(Outcome.PASSED, 7, "v1.36.3", (("provider", "grün"),))
    for log in (copy, None):
        plan = plan_build(
            BuildRef("logs", "ci-kubernetes-x", "20260101000000"), {"junit_01.xml": copy, "x.log": copy}, log, finished
        )

        write_plan(tmp_path, plan)

        assert read_plan(tmp_path) == plan


def test_without_a_plan_there_is_none(tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
