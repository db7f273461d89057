"""Keys of ``suite:`` become Ginkgo's flags."""

from __future__ import annotations

import re

import pytest

from e2e.lifecycle.ginkgo.selection import NOT_ASKED_FOR, exactly, foreign_syntax, go_pattern, label_filter


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ("conformance", "Conformance"),
        ("not disruptive", "!Disruptive"),
        ("not slow and not serial", "(!Slow && !Serial)"),
        ("(conformance) and (not (slow or serial))", "(Conformance && !(Slow || Serial))"),
    ],
)
def test_marker_expression_becomes_a_label_filter(select: str, expected: str) -> None:
    assert label_filter(select, is_asked_for=True, keeps_quiet=False) == expected


@pytest.mark.parametrize(
    ("own", "is_asked_for", "keeps_quiet", "expected"),
    [
        pytest.param("", False, False, f"!Slow && {NOT_ASKED_FOR}", id="presets-leave-out-what-upstream-leaves-out"),
        pytest.param("", True, False, "!Slow", id="titles-ask"),
        pytest.param("a || b", False, False, "!Slow && (a || b)", id="own-filter-asks"),
        pytest.param("", False, True, f"!Slow && {NOT_ASKED_FOR} && !Disruptive", id="cluster-of-others"),
    ],
)
def test_parts_are_anded(own: str, is_asked_for: bool, keeps_quiet: bool, expected: str) -> None:
    assert label_filter("not slow", own, is_asked_for=is_asked_for, keeps_quiet=keeps_quiet) == expected


@pytest.mark.parametrize("select", ["preempts", "conformance and cluster_scoped", "sig(name='apps')"])
def test_marker_that_upstream_lacks_is_named(select: str) -> None:
    with pytest.raises(ValueError, match=re.escape(select.rpartition(" ")[2])):
        label_filter(select, is_asked_for=False, keeps_quiet=False)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("Secrets", "Secrets"),
        ("^a|(^b)", "^Kubernetes e2e suite a|(^Kubernetes e2e suite b)"),
        (r"\^a[^b][\]^]", r"\^a[^b][\]^]"),
        (r"\\^a", r"\\^Kubernetes e2e suite a"),
    ],
)
def test_beginning_of_a_title_stands_behind_the_name_of_the_suite(pattern: str, expected: str) -> None:
    assert go_pattern(pattern) == expected


def test_titles_are_selected_one_by_one() -> None:
    assert exactly(["[sig-a] b (c)", "d"]) == (r"^Kubernetes e2e suite \[sig-a\] b \(c\)$", "^Kubernetes e2e suite d$")


@pytest.mark.parametrize(
    ("pattern", "foreign"),
    [
        ("(?!a)b", "(?!"), ("a(?=b)", "(?="), ("(?<!a)b", "(?<!"), (r"(a)\1", r"\1"), ("(?P<n>a)(?P=n)", "(?P="), ("a++", "++"),
        ("(?i)a", ""), ("(?P<n>a)", ""), (r"\\1", ""), (r"\[sig-a\]+", ""), ("(?:a|b)*?", ""),
    ],
)  # fmt: skip
def test_what_go_cannot_read_is_found(pattern: str, foreign: str) -> None:
    assert foreign_syntax(pattern) == foreign
