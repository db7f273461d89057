from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.case_spool import CaseSpool
from upload.censor import Censor
from upload.errors import ResultsError
from upload.junit_render import render_shards
from upload.model import Case, Status
from upload.spool import Spool

CASES = st.builds(
    Case,
    name=st.sampled_from(["[a]", "[b]", "[ReportAfterSuite]"]) | st.text(max_size=8),
    status=st.sampled_from(Status),
    seconds=st.floats(0, 1e7),
    classname=st.sampled_from(["", "c"]),
    text=st.text(max_size=20) | st.integers(0, 9_000).map("x".__mul__),
    source=st.sampled_from(["1.xml", "2.xml"]),
)


def spooled(cases: Sequence[Case], folder: Path, *, limit_bytes: int) -> tuple[list[bytes], bytes]:
    with CaseSpool(Spool(folder, Censor()), limit_bytes=limit_bytes) as spool:
        for case in cases:
            spool.add(case)
        return [path.read_bytes() for path in spool.shards()], b"".join(spool.lines())


@given(st.lists(CASES, max_size=12), st.integers(4_096, 20_000))
def test_shards_are_those_that_memory_would_hold(cases: list[Case], limit: int) -> None:
    with TemporaryDirectory() as folder:
        shards, _ = spooled(cases, Path(folder), limit_bytes=limit)

    assert shards == list(render_shards(cases, limit_bytes=limit).values())


@given(st.lists(CASES, max_size=12))
def test_line_tells_every_field_and_which_attempt_it_was(cases: list[Case]) -> None:
    with TemporaryDirectory() as folder:
        _, lines = spooled(cases, Path(folder), limit_bytes=1_000_000)

    seen: dict[tuple[str, str, str], int] = {}
    for line, case in zip(lines.decode().split("\n"), [*cases, None], strict=True):
        if case is None:
            assert line == ""
            continue
        key = (case.source, case.classname, case.name)
        seen[key] = 1 if case.name == "[ReportAfterSuite]" else seen.get(key, 0) + 1
        told = {name: getattr(case, name) for name in ("name", "classname", "text", "source") if getattr(case, name)}
        assert json.loads(line) == {
            "name": "",
            **told,
            "status": case.status,
            "seconds": case.seconds,
            "attempt": seen[key],
        }


def test_attempts_of_two_digits_fit_into_their_lines(tmp_path: Path) -> None:
    _, lines = spooled([Case("[a]", Status.FAILED)] * 11, tmp_path, limit_bytes=1_000_000)

    assert [json.loads(line)["attempt"] for line in lines.splitlines()] == list(range(1, 12))


def test_nothing_is_left_beside_the_shards(tmp_path: Path) -> None:
    spooled([Case("[a]", Status.PASSED)], tmp_path, limit_bytes=1_000_000)

    assert [path.name for path in tmp_path.iterdir()] == ["000001"]


def test_folder_that_is_gone_is_an_error_that_names_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", Censor())
    (tmp_path / "spool").rmdir()

    with pytest.raises(ResultsError, match="spool"), CaseSpool(spool, limit_bytes=1_000_000):
        pass
