from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upload.junit import Feed, iter_junit, read_junit
from upload.junit_case import NO_TEXT
from upload.model import Case, Status

REPORTS = Path(__file__).parent / "reports"
PASSED, FAILED, SKIPPED = Status.PASSED, Status.FAILED, Status.SKIPPED


def suite(inside: str) -> bytes:
    return f"<testsuite>{inside}</testsuite>".encode()


def cases(body: bytes) -> tuple[Case, ...]:
    read = read_junit(body, name="")
    assert read.findings == ()
    return read.cases


def rules(body: bytes) -> list[str]:
    return [finding.rule for finding in read_junit(body, name="").findings]


def test_ginkgo_report_is_read_whole() -> None:
    read = read_junit(REPORTS / "ginkgo.xml", name="junit_01.xml")

    name = "Kubernetes e2e suite"
    facts = [(case.name, case.status, case.seconds) for case in read.cases]
    assert read.findings == ()
    assert {(case.classname, case.suite, case.source) for case in read.cases} == {(name, name, "junit_01.xml")}
    assert facts == [
        ("[ReportBeforeSuite]", PASSED, 0.000033),
        ("[ReportBeforeSuite]", PASSED, 0.00001),
        ("[It] [sig-api-machinery] Watchers reflector doesn't support receiving resources as Tables", SKIPPED, 0),
        ("[It] [sig-node] Pods should run through the lifecycle of Pods and PodStatus [Conformance]", FAILED, 60.13),
        ("[It] [sig-apps] ReplicaSet should serve a basic image [Conformance]", PASSED, 3.25),
    ]
    assert read.cases[2].text == "skipped"
    assert read.cases[3].text.startswith("[FAILED] failed to see Pod pod-test")
    assert read.cases[3].output == "> Enter [It] should run through the lifecycle\n"


def test_pytest_report_is_read_whole() -> None:
    read = read_junit(REPORTS / "pytest.xml", name="p")

    api = "tests.test_api"
    suite_and_source = ((), "pytest tests / pytest", "p")  # after the changes in the name: none
    conflict = (
        "AssertionError: assert 1 == 2\n +  where 1 = f()\ndef test_conflict():\n>       assert 1 == 2\n"
        "E       AssertionError: assert 1 == 2\n\ntests/test_api.py:7: AssertionError"
    )
    teardown = 'failed on teardown with "OSError: gone"\nOSError: gone'
    broken = "collection failure\nImportError while importing test module"
    requirement = (("requirement", "KEP-365"),)
    assert read.findings == ()
    assert read.cases == (
        Case(f"{api}.TestWatch.test_resume[2 s]", PASSED, 0.512, f"{api}.TestWatch", "", "", requirement, *suite_and_source),
        Case(f"{api}.test_conflict", FAILED, 0.101, api, conflict, "--- Captured stdout ---\npatched once", (), *suite_and_source),
        Case(f"{api}.test_hollow", SKIPPED, 0.0, api, "tests/test_api.py:11: needs pods-run", "", (), *suite_and_source),
        Case(f"{api}.test_teardown", FAILED, 0.25, api, teardown, "", (), *suite_and_source),
        Case("tests.test_broken", FAILED, 0.0, "", broken, "", (), *suite_and_source),
    )  # fmt: skip


def test_surefire_reruns_become_attempts_in_order() -> None:
    read = read_junit(REPORTS / "surefire.xml", name="")

    facts = [(c.name.rpartition(".")[2], c.status, c.seconds, c.text.split("\n")[0], c.output) for c in read.cases]
    assert read.findings == ()
    assert [fact[:3] for fact in facts] == [
        ("writes", FAILED, 0.25),
        ("writes", FAILED, 0),
        ("writes", PASSED, 1000.5),
        ("reads", FAILED, 20),
        ("reads", FAILED, 0),
        ("lists", PASSED, 1),
    ]
    assert [fact[3] for fact in facts] == [
        "AssertionError: expected 1",
        "IOException: gone",
        "",
        "AssertionError: expected 2",
        "AssertionError: expected 3",
        "",
    ]
    assert [fact[4].strip() for fact in facts] == ["first try", "", "third try", "", "", ""]


@pytest.mark.parametrize(
    ("child", "status", "text"),
    [
        ("", PASSED, ""),
        ("<failure>why</failure>", FAILED, "why"),
        ("<failure message='what'>why</failure>", FAILED, "what\nwhy"),
        ("<failure message='what'>said what and why</failure>", FAILED, "said what and why"),
        ("<failure message='what'/>", FAILED, "what"),
        ("<failure type='AssertionError'/>", FAILED, "AssertionError"),
        ("<failure> \n</failure>", FAILED, NO_TEXT),
        ("<error>crash</error>", FAILED, "crash"),
        ("<failure>one</failure><error>two</error>", FAILED, "one\n\ntwo"),
        ("<skipped/>", SKIPPED, ""),
        ("<skipped message='no GPU'/>", SKIPPED, "no GPU"),
        ("<skipped>no GPU</skipped>", SKIPPED, "no GPU"),
        ("<skipped/><failure>why</failure>", FAILED, "why"),
        ("<failure><![CDATA[a < b]]></failure>", FAILED, "a < b"),
        ("<x:failure xmlns:x='urn:x'>why</x:failure>", FAILED, "why"),
        ("<unknown>text</unknown>", PASSED, ""),
    ],
)
def test_case_ends_as_its_children_say(child: str, status: Status, text: str) -> None:
    (case,) = cases(suite(f'<testcase name="[a]" time="1">{child}</testcase>'))

    assert (case.status, case.text) == (status, text)


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ('status="notrun" result="suppressed"', SKIPPED),  # googletest: disabled
        ('status="disabled"', SKIPPED),  # CTest
        ('status="run" result="completed"', PASSED),
        ('status="passed"', PASSED),
        ('status="timedout"', FAILED),
    ],
)
def test_status_attribute_counts_when_no_child_says_more(attributes: str, status: Status) -> None:
    (case,) = cases(suite(f'<testcase name="[a]" {attributes}/>'))

    assert case.status is status


def test_suites_nest_to_any_depth() -> None:
    depth = 5_000
    body = "".join(f'<testsuite name="{n}">' for n in range(depth)) + '<testcase name="a"/>' + "</testsuite>" * depth

    (case,) = cases(f"<testsuites>{body}</testsuites>".encode())

    assert case.suite.startswith("0 / 1 / 2 / 3")
    assert len(case.suite) == 1_000


def test_failure_of_a_suite_is_a_case_of_its_name() -> None:
    got = cases(
        b'<testsuites><testsuite name="store"><error message="no binary"/><testcase name="a"/></testsuite></testsuites>'
    )

    assert got == (Case("store", FAILED, text="no binary", suite="store"), Case("a", PASSED, suite="store"))


def test_output_of_a_suite_is_not_kept() -> None:
    assert cases(suite('<system-out>long</system-out><testcase name="a"/>')) == (Case("a", PASSED),)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("\ufeff<testsuite><testcase name='[é]'/></testsuite>".encode(), "[\\xe9]"),
        ("<?xml version='1.0' encoding='UTF-16'?><testsuite><testcase name='[é]'/></testsuite>".encode("utf-16"), "[\\xe9]"),
        ("<?xml version='1.0'?><testsuite><testcase name='[é]'/></testsuite>".encode("utf-16-be"), "[\\xe9]"),
        ("<testsuite><testcase name='[é]'/></testsuite>".encode("utf-32"), "[\\xe9]"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><testsuite><testcase name='[é]'/></testsuite>".encode("latin-1"), "[\\xe9]"),
        ("<?xml version='1.0' encoding='windows-1252'?><testsuite><testcase name='[€]'/></testsuite>".encode("cp1252"), "[\\u20ac]"),
        ("<?xml version='1.0' encoding='Shift_JIS'?><testsuite><testcase name='[日]'/></testsuite>".encode("shift_jis"), "[\\u65e5]"),
        ("<?xml version='1.0' encoding='UTF-16'?><testsuite><testcase name='[é]'/></testsuite>".encode(), "[\\xe9]"),
        (b"\n\n  <?xml version='1.0'?><testsuite><testcase name='[a]'/></testsuite>", "[a]"),
    ],
    ids=["bom", "utf-16", "utf-16-be without mark", "utf-32", "latin-1", "cp1252", "shift-jis", "lies", "leading lines"],
)  # fmt: skip
def test_encoding_is_found(body: bytes, name: str) -> None:
    assert [case.name for case in cases(body)] == [name]


@pytest.mark.parametrize(
    ("body", "names", "wrong"),
    [
        (b"", [], ["report.empty"]),
        (b" \r\n\t", [], ["report.empty"]),
        (b"no xml", [], ["report.malformed"]),
        (b"<html/>", [], ["report.root"]),
        (b"<!DOCTYPE t [<!ENTITY a 'b'>]><testsuite><testcase name='[&a;]'/></testsuite>", [], ["report.dtd"]),
        (b"<testsuite><testcase name='[a]'/><testcase name='[b]'><failure>x", ["[a]"], ["report.truncated"]),
        (b"<testsuite><testcase name='[a]'/><testc", ["[a]"], ["report.truncated"]),
        (b"<testsuite><testcase name='[a]'/>", ["[a]"], ["report.truncated"]),
        (b"<testsuite><testcase name='[a]'/><b>&nbsp;</b></testsuite>", ["[a]"], ["report.malformed"]),
        (b"<testsuite><testcase name='[a]'/></testsuite>junk", ["[a]"], ["report.malformed"]),
        (b"<testsuite><testcase name='[a\xff]'/></testsuite>", ["[a\\ufffd]"], ["report.encoding"]),
        (b"<?xml version='1.0' encoding='hex'?><testsuite><testcase name='[a]'/></testsuite>", ["[a]"], ["report.encoding"]),
        (b"<?xml version='1.0' encoding='punycode'?><testsuite><testcase name='[a]'/></testsuite>", ["[a]"], ["report.encoding"]),
        (b"<testsuite><testcase name='[a\x1b&#7;&#x0b;]'/></testsuite>", ["[a\\x1b\\x07\\x0b]"], ["report.characters"]),
        (b"<testsuite><testcase name='[a]' time='soon'/><testcase name='[b]' time='nan'/></testsuite>", ["[a]", "[b]"], ["report.time"]),
    ],
    ids=["empty", "blank", "text", "html", "dtd", "cut in text", "cut in tag", "cut between", "entity", "junk",
         "bytes", "hex", "punycode", "control", "time"],
)  # fmt: skip
def test_bad_file_is_a_finding_and_keeps_its_cases(body: bytes, names: list[str], wrong: list[str]) -> None:
    read = read_junit(body, name="junit.xml")

    assert [case.name for case in read.cases] == names
    assert [(finding.rule, finding.object) for finding in read.findings] == [(rule, "junit.xml") for rule in wrong]


def test_cut_names_line_and_case() -> None:
    (finding,) = read_junit(b"<testsuite>\n<testcase name='[a]'><failure>", name="j").findings

    assert finding.what == (
        "the file is cut: line 2, within the case '[a]': no element found; "
        "the cases before it were kept, what came after is unknown"
    )


def test_entities_do_not_expand() -> None:
    laughs = "".join(f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 12))
    body = f"<!DOCTYPE t [<!ENTITY l0 'ha'>{laughs}]><testsuite><testcase name='&l11;'/></testsuite>".encode()

    assert rules(body) == ["report.dtd"]


def test_external_entity_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    body = (
        f"<!DOCTYPE t [<!ENTITY x SYSTEM '{secret.as_uri()}'>]><testsuite><testcase name='&x;'/></testsuite>".encode()
    )

    read = read_junit(body, name="")

    assert (read.cases, [finding.rule for finding in read.findings]) == ((), ["report.dtd"])


def test_published_names_are_taken_as_they_are() -> None:
    (case,) = read_junit(suite('<testcase classname="a" name="a.b #1"/>'), name="", published=True).cases

    assert (case.name, case.classname, case.changes) == ("a.b #1", "a", ())


def test_cases_come_while_the_file_is_read() -> None:
    body = suite("<testcase name='[a]'/>" * 20_000)
    stream = io.BytesIO(body)

    first = next(iter_junit(stream, name=""))

    assert first == Case("[a]", PASSED)
    assert stream.tell() < len(body) / 2


def test_memory_is_that_of_one_case_not_of_the_file() -> None:
    one = "<testcase name='[a]'><system-out>" + "x" * 100_000 + "</system-out></testcase>"
    body = suite(one * 200)

    tracemalloc.start()
    count = sum(1 for _ in iter_junit(body, name=""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 200
    assert peak < 2_000_000


def test_very_long_attribute_is_read() -> None:
    (case,) = cases(suite(f"<testcase name='[a]'><failure message='{'x' * 4_000_000}'/></testcase>"))

    assert len(case.text) == 4_000_000


def test_endless_tag_is_refused_and_the_cases_before_it_kept() -> None:
    read = read_junit(suite(f"<testcase name='[a]'/><testcase name='{'x' * 18_000_000}'/>"), name="")

    assert [case.name for case in read.cases] == ["[a]"]
    assert [finding.what for finding in read.findings] == ["a tag is longer than 16000000 characters"]


def test_long_output_of_a_suite_is_no_endless_tag() -> None:
    body = suite(f"<system-out>{'line of text' * 3_500_000}</system-out><testcase name='[a]'/>")

    assert cases(body) == (Case("[a]", PASSED),)


@pytest.mark.parametrize(
    ("inside", "kept"),
    [
        ("<failure>" + "x" * 3_000_000 + "y" * 3_000_000 + "</failure>", 3_983_658),
        ("<failure message='" + "x" * 6_000_000 + "'/>", 3_983_658),
        ("<failure>x</failure>" * 2_000, 1_000 + 2 * 999),
        ("<failure><a>" * 1_000 + "why" + "</a></failure>" * 1_000, 3),
    ],
    ids=["text", "message", "many", "nested"],
)
def test_case_too_long_to_be_kept_whole_is_cut_and_told(inside: str, kept: int) -> None:
    read = read_junit(suite(f"<testcase name='[a]'>{inside}</testcase>"), name="")

    assert [len(case.text) for case in read.cases] == [kept]
    assert [finding.rule for finding in read.findings] == ([] if kept == 3 else ["report.long"])


def test_properties_too_many_or_too_long_are_left_out() -> None:
    properties = "<property name='k' value='v'/>" * 1_001
    read = read_junit(suite(f"<testcase name='[a]'><properties>{properties}</properties></testcase>"), name="")

    assert len(read.cases[0].properties) == 1_000
    assert [finding.rule for finding in read.findings] == ["report.long"]


def test_elements_without_end_are_refused() -> None:
    assert rules(b"<testsuite>" * 30_000) == ["report.malformed"]


def test_unfinished_tag_is_given_to_the_parser_a_few_times_only() -> None:
    """expat scans it from its start each time: 320 times 20 MB would be minutes."""
    feed, times = Feed(), 0
    for _ in range(320):
        feed.add("x" * 65_536)
        if feed.is_due:
            feed.take()
            feed.adapt(moved=False)
            times += 1

    assert times < 12


@given(st.binary(max_size=300) | st.builds(suite, st.text(max_size=100)))
def test_any_bytes_give_findings_and_never_an_exception(body: bytes) -> None:
    read_junit(body, name="")


PIECES = [
    b"<testsuite>", b"</testsuite>", b"<testsuites name='s'>", b"</testsuites>", b"<testcase name='a' time='1'>", b"<testcase/>",
    b"</testcase>", b"<failure>", b"</failure>", b"<rerunFailure>", b"</rerunFailure>", b"<stackTrace>", b"</stackTrace>",
    b"<system-out>", b"</system-out>", b"<skipped/>", b"<error message='m'/>", b"<property name='a'/>", b"text", b"&#0;", b"&amp",
    b"<![CDATA[", b"]]>", b"<!--", b"-->", b"\xff", b"\x00", b"<!DOCTYPE x>", b"\xef\xbb\xbf", b"<?xml version='1.0'?>",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join))
def test_any_sequence_of_tags_gives_findings_and_never_an_exception(body: bytes) -> None:
    read_junit(body, name="")
