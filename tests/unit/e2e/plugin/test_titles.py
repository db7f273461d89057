from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e.plugin.titles import NoTitle, case_title, clashes, evidence_name, focus_pattern


@pytest.mark.parametrize(
    ("docstring", "param_id", "flags", "title"),
    [
        pytest.param("Thing should work.", "", [], "[sig-apps] Thing should work", id="full-stop-goes"),
        pytest.param("\n  Thing should work\n\nMore text.\n", "", [], "[sig-apps] Thing should work", id="first-line"),
        pytest.param("Thing should work...", "", [], "[sig-apps] Thing should work..", id="only-one-stop-goes"),
        pytest.param("It should.", "1-a", [], "[sig-apps] It should [1-a]", id="parameter"),
        pytest.param(
            "It should.",
            "x",
            ["conformance", "serial", "slow", "disruptive"],
            "[sig-apps] It should [x] [Conformance] [Serial] [Slow] [Disruptive]",
            id="flags",
        ),
    ],
)
def test_title_is_in_upstreams_form(docstring: str, param_id: str, flags: list[str], title: str) -> None:
    assert case_title(sig="apps", docstring=docstring, param_id=param_id, flags=flags) == title


@pytest.mark.parametrize(
    ("sig", "docstring", "said"),
    [
        pytest.param("", "It should.", "pytest.mark.sig", id="no-sig"),
        pytest.param("apps", "", "no docstring", id="no-docstring"),
        pytest.param("apps", "  \n ", "no docstring", id="blank-docstring"),
        pytest.param("apps", "It sh\u00f6uld.", "ASCII", id="not-ascii"),
        pytest.param("apps", "It\tshould.", "ASCII", id="control-character"),
    ],
)
def test_test_without_a_title_is_refused(sig: str, docstring: str, said: str) -> None:
    with pytest.raises(NoTitle, match=said):
        case_title(sig=sig, docstring=docstring)


def test_clash_names_both_tests() -> None:
    found = clashes({"b.py::two": "[sig-x] same", "a.py::one": "[sig-x] same", "a.py::other": "[sig-x] other"})

    assert found == {
        "[sig-x] same": (
            "a.py::one and b.py::two have the same title '[sig-x] same'; change the first line of one docstring"
        )
    }


def test_evidence_name_is_short_and_tells_long_titles_apart() -> None:
    first, second = (evidence_name(f"[sig-apps] {'very long title ' * 10}{n}") for n in (1, 2))

    assert evidence_name("[sig-apps] A/B should: work!") == "sig-apps-a-b-should-work-5bf2163d"
    assert first[:60] == second[:60]
    assert first != second
    assert len(first) <= 69


@given(st.text(max_size=200))
def test_evidence_name_is_a_safe_file_name(title: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,60}[0-9a-f]{8}", evidence_name(title))


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), min_size=1), st.text(min_size=1))
def test_focus_pattern_selects_exactly_its_title(title: str, other: str) -> None:
    pattern = re.compile(focus_pattern([title]))

    assert pattern.search(title)
    assert other == title or not pattern.fullmatch(other)


def test_focus_pattern_of_several_titles() -> None:
    pattern = focus_pattern(["[sig-a] x (y)", "z"])

    assert pattern == r"^(\[sig-a\] x \(y\)|z)$"
