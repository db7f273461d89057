"""Each rule takes what it should, refuses what it should, and says what would be right."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from _pytest.mark.expression import Expression
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from providers.config import rules
from providers.config.schedule import cron_schedule, runs_a_month

Rule = Callable[[str], object]

ACCEPTED: dict[Rule, list[str]] = {
    rules.job_name: ["ci-kubernetes-e2e-local", "abc", "1.2-3a", "a" * 63],
    rules.kubernetes_marker: [
        "v1.36.3",
        "v1.37.0-alpha.2",
        "v1.37.0-alpha.2.17+abcdef0123",
        "release/stable",
        "release/stable-1.36",
        "ci/latest",
        "ci/latest-1.37",
        "pinned",
        "file:///srv/kubernetes",
        "file:///srv/my%20builds",
        "source:/home/me/go/src/k8s.io/kubernetes",
        "https://dl.example.org/release",
        "https://dl.example.org:8443/release/v1.36.3",
    ],
    rules.testgrid_name: ["provider-example", "Gardener, v1.35 AWS", "abc", "a|b[c]", "a – bc"],  # noqa: RUF001
    rules.cidr: ["10.244.0.0/16", "fd00:10:244::/56", "10.1.2.3/32"],
    rules.emails: ["team@example.com", "a+b@x.example, c@example.org"],
    rules.github_name: ["justinsb", "a-b-c", "x"],
    rules.party_name: ["example", "x", "a-1"],
    rules.bucket_prefix: ["example:", "Kopeio_1.2:"],
    rules.store_uri: [
        "gs://example-e2e",
        "gs://a.b_c/d/e",
        "file:///srv/bucket",
        "_results/bucket",
        "/srv/my bucket",
        ".",
    ],
    rules.results_prefix: ["logs", "a/b.c/d_e"],
    rules.marker_expression: [
        "conformance",
        "not slow",
        "conformance and not (slow or disruptive)",
        'sig(name="apps") or node',
    ],
    rules.regex: [r"\[sig-apps\].*", "[[a]", ""],
    rules.free_text: ["", "one\ntwo", "$(rm -rf /) `x` <b>&amp;</b> \"'; --", "übrigens"],
    cron_schedule: [
        "H 2 * * *",
        "H/15 * * * *",
        "H(0-29)/10 * * * *",
        "0,30 9-16/2 1 1-11/2 1-5",
        "* * * * 7",
        "*/5  2   * * *",
        "@midnight",
    ],
}

REFUSED: dict[Rule, list[str]] = {
    rules.job_name: ["", "ab", "Abc", "-abc", "a_b", "a/b", "a" * 64, "abc\n", "..", "a--", "summary-job", "é" * 5],
    rules.kubernetes_marker: [
        "",
        "1.36.3",
        "v1.36",
        "v1.36.3\n",
        "v1.٣6.3",
        "release/stable-1",
        "release/unstable",
        "ci/latest-1.36.3",
        "latest",
        "source:",
        "source:kubernetes",
        "source:~/kubernetes",
        "source:../kubernetes",
        "source:/srv/../kubernetes",
        "source:/srv/\x1b[2J",
        "source:/srv/\0",
        "file://relative",
        "file:///a b",
        "file:///a?b",
        "file:///a%00b",
        "http://dl.example.org",
        "https://",
        "https:///path",
        "https://user:secret@dl.example.org/x",
        "https://dl.example.org/x?token=1",
        "https://dl.example.org:99999/x",
        "https://[bad/x",
        "https://dl.example.org/\x1b[31m",
        "$(id)",
    ],
    rules.testgrid_name: [
        "",
        "ab",
        "--a-b",
        "Summary",
        "Bugs here",
        "dashboard x",
        "ALERTER-1",
        "a;bc",
        "a\nbc",
        "äöü",
    ],
    rules.cidr: ["", "10.244.0.1/16", "10.244.0.0", "10.0.0.0/33", "10.0.0.0/16,fd00::/64", "010.0.0.0/8", "FD00::/64"],
    rules.emails: ["", "team", "team@", "a@b, ", "a b@example.com", "a@b\n", "<a@example.com>"],
    rules.github_name: ["", "@justinsb", "a--b", "-a", "a" * 40, "a/b"],
    rules.party_name: ["", "Example", "a b", "-a", "a-", "a" * 41],
    rules.bucket_prefix: ["", ":", "example", "a:b", "a b:", "a" * 41 + ":"],
    rules.store_uri: [
        "",
        "s3://bucket",
        "gs://",
        "gs://B",
        "gs://bucket//x",
        "gs://bucket/../x",
        "gs://bucket/x?y",
        "file://relative",
        "file://",
        "file:///a/%2e%2E/b",
        "file:///a?b",
        "file://host/a",
        "../bucket",
        "a/../b",
        "~/bucket",
        "a\x1b[31m",
        "https://storage.example.org/bucket",
    ],
    rules.results_prefix: ["", "/logs", "logs/", "a//b", "../logs", "a/./b", "pr-logs", "pr-logs/x", "a b", "x" * 201],
    rules.marker_expression: [
        "",
        "a and",
        "a b",
        "a; b",
        "a + b",
        "lambda: a",
        "a if b else c",
        "a.b",
        'sig("apps")',
        "sig()",
        "sig(**a)",
        "sig(name=f())",
        "__import__('os')",
        "(yield)",
        "a := b",
        "[x for x in y]",
        "'text'",
        "(" * 400,
        "not " * 200,
        r"a('\d')",
        "a\x00",
    ],
    rules.regex: ["(", "*", "[", "x" * 501, "a{99999999999}"],
    rules.free_text: ["\x1b[31m", "a\tb", "a\x00", "\u202etxt", "a\rb"],
    cron_schedule: [
        "",
        "H 2 * *",
        "H 2 * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "* * * * MON",
        "5/10 * * * *",
        "*/0 * * * *",
        "*/99 * * * *",
        "9-5 * * * *",
        "H(30-10) * * * *",
        "H 2 * * *\nH 3 * * *",
        "@nightly",
        "@reboot",
        "h 2 * * *",
        "٣ 2 * * *",
    ],
}


def table(cases: dict[Rule, list[str]]) -> list[object]:
    return [
        pytest.param(rule, text, id=f"{rule.__name__}-{text[:30]!r}") for rule, texts in cases.items() for text in texts
    ]


@pytest.mark.parametrize(("rule", "text"), table(ACCEPTED))
def test_rule_takes_what_it_should_and_leaves_it_as_it_is(rule: Rule, text: str) -> None:
    assert rule(text) == text


@pytest.mark.parametrize(("rule", "text"), table(REFUSED))
def test_rule_refuses_and_says_what_was_expected(rule: Rule, text: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        rule(text)

    assert caught.value.type == "expected"
    assert caught.value.context is not None
    assert caught.value.context["expected"]


@pytest.mark.parametrize("text", ACCEPTED[rules.marker_expression])
def test_marker_expression_that_is_taken_is_one_for_pytest(text: str) -> None:
    assert Expression.compile(text)


def test_every_rule_has_both_tables() -> None:
    assert ACCEPTED.keys() == REFUSED.keys()


@pytest.mark.parametrize(
    ("rule", "text", "near"),
    [
        (rules.kubernetes_marker, "1.36.3", "v1.36.3"),
        (rules.kubernetes_marker, "release/stabel-1.36", "release/stable"),
        (rules.kubernetes_marker, "ci/lastest", "ci/latest"),
        (rules.kubernetes_marker, "pined", "pinned"),
        (rules.cidr, "10.244.3.1/16", "10.244.0.0/16"),
        (rules.bucket_prefix, "example", "example:"),
        (rules.store_uri, "g://bucket", "gs"),
        (cron_schedule, "@dayly", "@daily"),
    ],
)
def test_rule_names_what_was_probably_meant(rule: Rule, text: str, near: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        rule(text)

    assert (caught.value.context or {})["nearest"] == near


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("3h", 10800), ("90s", 90), ("1h30m", 5400), ("1h1m1s", 3661), ("336h", 1209600)],
)
def test_duration_becomes_seconds(text: str, seconds: int) -> None:
    assert rules.duration_s(text) == seconds


@pytest.mark.parametrize(
    "value", ["", "0s", "30", 30, True, None, "1.5h", "-1m", "30 m", "m", "30m1h", "337h", "٣m", "1h\n"]
)
def test_duration_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^expected a duration such as 30m, 3h, 90s or 1h30m, at most 336h$"):
        rules.duration_s(value)


@given(st.integers(1, rules.MAX_DURATION_S))
def test_duration_text_is_the_inverse_of_duration_s(seconds: int) -> None:
    assert rules.duration_s(rules.duration_text(seconds)) == seconds


@given(st.text(max_size=60))
def test_no_rule_ends_in_another_error(text: str) -> None:
    for rule in (*ACCEPTED, rules.duration_s):
        with contextlib.suppress(PydanticCustomError):
            rule(text)


@pytest.mark.parametrize(
    ("schedule", "runs"),
    [
        ("H 2 * * *", 30.44),
        ("@daily", 30.44),
        ("@hourly", 730.5),
        ("@weekly", 4.35),
        ("@yearly", 0.08),
        ("H/15 * * * *", 2922.0),
        ("H(0-29)/10 * * * *", 2191.5),
        ("H H(0-7)/3 * * 1-5", 65.22),
        ("0 0,12 1 * *", 1.96),
        ("0 0 * * 0,7", 4.35),
        ("0 0 * * 6-7", 8.7),
        ("* * * * *", 43830.0),
        ("H,5,5 0 * * *", 60.88),
    ],
)
def test_a_schedule_starts_so_many_builds_a_month(schedule: str, runs: float) -> None:
    assert round(runs_a_month(cron_schedule(schedule)), 2) == runs
