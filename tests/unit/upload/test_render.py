from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import junitparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.junit import read_junit
from upload.junit_case import NO_TEXT
from upload.junit_render import render_shards, render_steps
from upload.model import Case, Status, StepRecord
from upload.xml_text import printable

PASSED, FAILED, SKIPPED = Status.PASSED, Status.FAILED, Status.SKIPPED

EVERYTHING = (
    Case("[a] passes", PASSED, 1.25, "suite", output="said", properties=(("k", "v"),), suite="s"),
    Case('[b] <fails> & "quotes"', FAILED, 3.3135e-05, "suite", "1 < 2 & ]]> \x1b[31m\r\nend"),
    Case("[c] skips", SKIPPED, 0, "suite", "no GPU"),
    Case("[a] passes", FAILED, 2, "suite", "second attempt"),
    Case("[d] fails silently", FAILED, 0, "\xe9\n", ""),
)


def only_shard(cases: Sequence[Case]) -> bytes:
    shards = render_shards(cases)
    assert list(shards) == ["junit_01.xml"]
    return shards["junit_01.xml"]


def root_of(body: bytes) -> ET.Element:
    return ET.fromstring(body)


def cut(case: Case, size: int) -> Case:
    return replace(case, text="x" * size)


def test_shard_is_written_as_the_readers_want_it(golden: Callable[[str, bytes], None]) -> None:
    golden("shard.xml", only_shard(EVERYTHING))


@pytest.mark.rule("junit.root")
@pytest.mark.rule("junit.suite-name")
@pytest.mark.rule("junit.counts")
def test_root_is_a_suite_with_counts_and_without_name() -> None:
    root = root_of(only_shard(EVERYTHING))

    assert (root.tag, dict(root.attrib)) == ("testsuite", {"tests": "5", "failures": "3", "time": "3.250033"})


@pytest.mark.rule("junit.children")
@pytest.mark.rule("junit.properties")
def test_children_of_the_root_are_cases_only() -> None:
    root = root_of(only_shard(EVERYTHING))

    assert {child.tag for child in root} == {"testcase"}
    assert {tuple(child.attrib) for child in root} == {("name", "classname", "time")}


@pytest.mark.rule("junit.error")
@pytest.mark.rule("junit.skipped")
def test_case_holds_one_failure_with_text_or_an_empty_skip() -> None:
    inside = {child.tag: (dict(child.attrib), child.text) for case in root_of(only_shard(EVERYTHING)) for child in case}

    assert inside == {"failure": ({}, NO_TEXT), "skipped": ({}, None)}


@pytest.mark.rule("junit.time")
@given(st.floats())
def test_time_is_always_a_plain_decimal(seconds: float) -> None:
    body = only_shard([Case("[a]", PASSED, seconds)])

    assert all(re.fullmatch(r"[0-9]+(\.[0-9]+)?", time) for time in re.findall(r'time="([^"]*)"', body.decode()))
    assert body.count(b" time=") == 2


@pytest.mark.rule("junit.control")
@pytest.mark.rule("junit.ascii")
@given(st.text(min_size=1), st.text(), st.text())
def test_any_text_gives_xml_with_printable_ascii_names(name: str, classname: str, text: str) -> None:
    (case,) = root_of(only_shard([Case(name, FAILED, 0, classname, text)]))

    assert (case.attrib["name"] + case.attrib["classname"]).isascii()
    assert case.attrib["name"].isprintable()


@pytest.mark.rule("junit.dtd")
def test_shard_declares_no_document_type() -> None:
    assert b"<!" not in only_shard([Case("<!DOCTYPE a>", FAILED, text="<!DOCTYPE b> <![CDATA[c]]>")])


@pytest.mark.rule("junit.empty")
@pytest.mark.rule("junit.none")
def test_no_cases_give_no_file() -> None:
    assert render_shards([]) == {}


@pytest.mark.rule("junit.name")
def test_shards_are_named_as_all_readers_match_them() -> None:
    cases = [cut(Case(f"[{n}]", FAILED), 3_000) for n in range(101)]

    names = list(render_shards(cases, limit_bytes=4_096))

    assert names == [*(f"junit_{n:02d}.xml" for n in range(1, 100)), "junit_100.xml", "junit_101.xml"]


@pytest.mark.rule("junit.size")
@given(st.lists(st.integers(0, 12_000), max_size=20), st.integers(4_096, 20_000))
def test_shards_stay_below_the_limit_and_hold_every_case(sizes: list[int], limit: int) -> None:
    cases = [cut(Case(f"[{n}] \xe9&", FAILED, 1e9, "c"), size) for n, size in enumerate(sizes)]

    shards = render_shards(cases, limit_bytes=limit)

    read = [case.name for body in shards.values() for case in read_junit(body, name="", published=True).cases]
    assert all(len(body) < limit for body in shards.values())
    assert read == [f"[{n}] \\xe9&" for n in range(len(sizes))]


@pytest.mark.rule("junit.size")
@pytest.mark.parametrize("text", ["&" * 50_000, "\u4e2d" * 50_000, "\x00" * 50_000, "x" * 50_000])
def test_text_too_long_for_a_file_keeps_its_ends(text: str) -> None:
    (body,) = render_shards([Case("[a]", FAILED, text=f"begin {text} end")], limit_bytes=20_000).values()

    (case,) = read_junit(body, name="").cases
    assert len(body) < 20_000
    assert case.text.startswith("begin ")
    assert case.text.endswith(" end")
    assert "characters are left out here" in case.text


def test_limit_too_small_for_any_case_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4096"):
        render_shards([], limit_bytes=100)


def test_attempts_stand_together_in_order_in_one_file() -> None:
    first, other, second = (
        cut(case, 1_500) for case in (Case("[a]", FAILED), Case("[b]", FAILED), Case("[a]", FAILED, 1))
    )

    shards = render_shards([first, other, second], limit_bytes=4_096)

    read = {name: read_junit(body, name="").cases for name, body in shards.items()}
    assert read == {"junit_01.xml": (first, second), "junit_02.xml": (other,)}


def test_attempts_that_no_file_holds_are_split_and_kept() -> None:
    attempts = [cut(Case("[a]", FAILED, n), 3_000) for n in range(3)]

    shards = render_shards(attempts, limit_bytes=4_096)

    assert [read_junit(body, name="").cases for body in shards.values()] == [(case,) for case in attempts]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).map(printable)
NAMES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
SHAPED = st.builds(
    Case,
    name=NAMES.map("[{}".format),
    status=st.just(PASSED) | st.just(SKIPPED),
    seconds=st.integers(0, 10**12).map(lambda n: n / 1_000_000),
    classname=NAMES,
) | st.builds(
    Case,
    name=NAMES.map("[{}".format),
    status=st.just(FAILED),
    seconds=st.integers(0, 10**12).map(lambda n: n / 1_000_000),
    classname=NAMES,
    text=TEXTS.filter(str.strip),
)


def in_one_place(cases: Sequence[Case]) -> tuple[Case, ...]:
    names = list(dict.fromkeys(case.name for case in cases))
    return tuple(case for name in names for case in cases if case.name == name)


@given(st.lists(SHAPED.map(lambda case: replace(case, name=case.name.replace("#", "~"))), min_size=1))
def test_parsing_what_was_rendered_is_the_identity(cases: list[Case]) -> None:
    body = only_shard(cases)

    assert read_junit(body, name="").cases == in_one_place(cases)
    assert only_shard(read_junit(body, name="").cases) == body


@given(st.lists(SHAPED.map(lambda case: replace(case, name=case.name[1:] or "x")), min_size=1))
def test_parsing_a_published_file_gives_its_names_back(cases: list[Case]) -> None:
    assert read_junit(only_shard(cases), name="", published=True).cases == in_one_place(cases)


def test_independent_reader_sees_the_same() -> None:
    suite = junitparser.TestSuite.fromstring(only_shard(EVERYTHING).decode().partition("\n")[2])

    seen = [(case.name, [type(result).__name__ for result in case.result]) for case in suite]
    assert seen == [
        ("[a] passes", []),
        ("[a] passes", ["Failure"]),
        ('[b] <fails> & "quotes"', ["Failure"]),
        ("[c] skips", ["Skipped"]),
        ("[d] fails silently", ["Failure"]),
    ]


STEPS = (
    StepRecord("Up", 1_700_000_000, 3.25),
    StepRecord("Build", 1_700_000_003, 1),
    StepRecord("Build", 1_700_000_004, 1, "make: *** [all] Error 2", "cc -c a.c\na.c:1: error"),
    StepRecord("Test", 1_700_000_005, 60.5),
    StepRecord("Down", 1_700_000_066, 0.5, output_tail="removed"),
)


def test_steps_become_the_cases_of_the_runner(golden: Callable[[str, bytes], None]) -> None:
    golden("junit_runner.xml", render_steps(STEPS))


def test_steps_are_published_under_names_of_their_own() -> None:
    read = read_junit(render_steps(STEPS), name="")

    assert [case.name for case in read.cases] == ["e2e.Up", "e2e.Build", "e2e.Build (2)", "e2e.Test", "e2e.Down"]
