"""What the writers of the field write, and what we make of it: whole values, in golden files.

``reports/`` holds one report of each writer. pytest, CTest and Ginkgo 2 wrote theirs (``ginkgo-e2e.xml`` is a part of
what Kubernetes' ``e2e.test`` wrote); the others were written after the writers' own sources and examples.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upload.artifacts import Published, collect_artifacts
from upload.censor import Censor
from upload.junit import read_junit

REPORTS = Path(__file__).parent / "reports"
NAMES = sorted(path.stem for path in REPORTS.glob("*.xml"))
CHARACTERS = "report.characters"  # Jest writes its colours as references that XML forbids


def publish(body: bytes, folder: Path) -> Published:
    (folder / "in").mkdir()
    (folder / "in" / "junit.xml").write_bytes(body)
    return collect_artifacts(folder / "in", censor=Censor(), out=folder / "out")


@pytest.mark.parametrize("name", NAMES)
def test_report_comes_out_whole_and_in_the_one_shape(
    name: str, tmp_path: Path, golden: Callable[[str, bytes], None]
) -> None:
    published = publish((REPORTS / f"{name}.xml").read_bytes(), tmp_path)

    assert [finding.rule for finding in published.findings] == ([CHARACTERS] if name == "jest" else [])
    golden(f"reports/{name}.xml", published.artifacts["junit_01.xml"].read_bytes())
    golden(f"reports/{name}.jsonl", published.artifacts["cases.jsonl"].read_bytes())


def test_a_report_of_every_writer_is_here() -> None:
    writers = {
        "bazel", "ctest", "ginkgo", "ginkgo-e2e", "ginkgo-v1", "go-junit-report", "gotestsum", "gradle", "jest", "mocha", "nunit",
        "pytest", "pytest-rerunfailures", "pytest-subtests", "pytest-xdist", "pytest-xunit1", "pytest-xunit2", "sonobuoy", "surefire",
    }  # fmt: skip

    assert set(NAMES) == writers


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["gradle", "pytest-xunit2"])
def test_report_in_another_encoding_gives_the_same_cases(name: str, encoding: str) -> None:
    body = (REPORTS / f"{name}.xml").read_bytes()

    assert read_junit(body.decode().encode(encoding), name="") == read_junit(body, name="")


@pytest.mark.parametrize("name", NAMES)
def test_report_cut_anywhere_keeps_what_ended_before(name: str) -> None:
    body = (REPORTS / f"{name}.xml").read_bytes().rstrip()
    whole = read_junit(body, name="").cases

    for end in range(1, len(body), max(1, len(body) // 40)):
        read = read_junit(body[:end], name="")
        assert read.cases == whole[: len(read.cases)]
        assert {f.rule for f in read.findings} & {"report.truncated", "report.empty", "report.malformed"}, end


def mutated(body: bytes, seed: int) -> bytes:
    """Return a report with some bytes overwritten, cut out, doubled or put in."""
    chance = random.Random(seed)
    out = bytearray(body)
    pieces = (
        b"<",
        b">",
        b"&",
        b'"',
        b"\x00",
        b"\xff",
        b"</testcase>",
        b"<failure>",
        b"<![CDATA[",
        b"]]>",
        b"&#0;",
        b"<!--",
    )
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(out) + 1)
        end = min(len(out), at + chance.randint(0, 60))
        how = chance.randrange(4)
        if how == 0 and at < len(out):
            out[at] = chance.randrange(256)
        elif how == 1:
            del out[at:end]
        elif how == 2:
            out[at:at] = out[at:end]
        else:
            out[at:at] = chance.choice(pieces)
    return bytes(out)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 2**32))
def test_mutated_report_gives_findings_and_files_that_read_back(name: str, seed: int) -> None:
    body = mutated((REPORTS / f"{name}.xml").read_bytes(), seed)

    with TemporaryDirectory() as folder:
        published = publish(body, Path(folder))
        shards = [path.read_bytes() for file, path in published.artifacts.items() if file.startswith("junit_")]

    read = [case for shard in shards for case in read_junit(shard, name="", published=True).cases]
    assert len(read) == published.ending.cases
    assert [finding for shard in shards for finding in read_junit(shard, name="").findings] == []


@pytest.mark.slow
@settings(max_examples=5_000, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 2**32))
def test_many_mutated_reports_are_read_without_an_exception(name: str, seed: int) -> None:
    read_junit(mutated((REPORTS / f"{name}.xml").read_bytes(), seed), name="")
