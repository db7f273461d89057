from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_feed.text import file_name, lines, one_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain [sig-apps] text", "plain [sig-apps] text", id="plain"),
        pytest.param(" a \n\t b\u2028c ", "a b c", id="white space"),
        pytest.param("caf\u00e9 \u4e2d", "caf\u00e9 \u4e2d", id="other scripts"),
        pytest.param("exe\u202egpj", "exe\ufffdgpj", id="text that runs backwards"),
        pytest.param("a\u200bb\x00c\ud800", "a\ufffdb\ufffdc\ufffd", id="hidden, control, surrogate"),
        pytest.param("x" * 501, "x" * 499 + "\u2026", id="too long"),
    ],
)
def test_one_line_is_showable(text: str, expected: str) -> None:
    assert one_line(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\r\nb\rc\td", "a\nb\nc\td", id="line breaks"),
        pytest.param("\x1b[31mred\x1b[0m \x1b[2K!", "red !", id="terminal colours"),
        pytest.param("a\x07\u2066b", "a\ufffd\ufffdb", id="controls"),
    ],
)
def test_lines_are_showable(text: str, expected: str) -> None:
    assert lines(text) == expected


def test_long_text_keeps_its_head_and_its_tail() -> None:
    assert lines("a" * 10 + "b" * 10, limit=8) == "aaaa\n\u2026 12 characters left out \u2026\nbbbb"


@given(st.text())
def test_shown_text_can_be_written_and_shows_no_control(text: str) -> None:
    shown = lines(text)
    shown.encode("utf-8")

    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ci-kubernetes-e2e", "ci-kubernetes-e2e", id="plain"),
        pytest.param("20261122170319", "20261122170319", id="build id"),
        pytest.param("..", "x=b1fbeff06be2", id="parent"),
        pytest.param("", "x=e3b0c44298fc", id="nothing"),
        pytest.param("CI Job", "ci-job=f5c9b8b6ef30", id="upper case"),
        pytest.param("<img src=x>", "img-src-x=", id="markup"),
        pytest.param(".hidden", "hidden=", id="hidden"),
    ],
)
def test_file_names_are_readable(text: str, expected: str) -> None:
    name = file_name(text)

    assert name.startswith(expected.partition("=")[0])
    assert ("=" in name) == ("=" in expected)


names = st.text() | st.sampled_from(["a", "A", "a/b", "a-b", "a b", "a=0", ".a", "..", "", "a" * 99])


@given(names, names)
def test_different_texts_have_different_file_names_also_without_case(one: str, other: str) -> None:
    assert (file_name(one).lower() == file_name(other).lower()) == (one == other)


@given(names)
def test_a_file_name_is_safe_in_a_path_and_in_an_address(text: str) -> None:
    name = file_name(text)

    assert re.fullmatch(r"[a-z0-9][a-z0-9._=-]{0,79}", name)
    assert quote(name, safe="=") == name
