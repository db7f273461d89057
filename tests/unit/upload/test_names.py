from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upload.names import one_line, published_name


@pytest.mark.parametrize(
    ("name", "classname", "published", "changes"),
    [
        ("[It] [sig-node] Pods", "Kubernetes e2e suite", "[It] [sig-node] Pods", ()),
        ("test_a", "tests.test_x", "tests.test_x.test_a", ()),
        ("tests.test_broken", "", "tests.test_broken", ()),
        ("", "tests.test_x", "tests.test_x", ()),
        ("", "", "unnamed", ("no name",)),
        (" [a]", "c", "c. [a]", ()),
        ("[a\x1b[31m]", "", "[a\\x1b[31m]", ("control characters",)),
        ("[a\N{SYMBOL FOR ESCAPE}]", "", "[a\\x1b]", ("control characters",)),
        ("[a\n\tb\r\x7f\x85]", "", "[a\\n\\tb\\r\\x7f\\x85]", ("control characters",)),
        ("[caf\xe9 \u4e2d \U0001f600]", "", "[caf\\xe9 \\u4e2d \\U0001f600]", ("non-ASCII",)),
        ("TestA/b#01", "pkg", "pkg.TestA/b\\x2301", ("#",)),
        ("[\x00#\xe9]", "", "[\\x00\\x23\\xe9]", ("control characters", "#", "non-ASCII")),
    ],
)
def test_published_name_follows_the_rule(name: str, classname: str, published: str, changes: tuple[str, ...]) -> None:
    got = published_name(name, classname)

    assert (got.name, got.changes) == (published, changes)


@pytest.mark.rule("junit.control")
@pytest.mark.rule("junit.ascii")
@pytest.mark.rule("junit.case-name")
@given(st.text(), st.text())
def test_published_name_is_printable_ascii_without_hash(name: str, classname: str) -> None:
    got = published_name(name, classname).name

    assert got
    assert got.isascii()
    assert got.isprintable()
    assert "#" not in got


@given(st.text(), st.text())
def test_publishing_a_name_again_changes_nothing(name: str, classname: str) -> None:
    once = published_name(name, classname).name

    assert published_name(once, "").name == once


@given(st.text(st.characters(blacklist_characters="\\\N{SYMBOL FOR ESCAPE}"), min_size=1))
def test_names_that_differ_stay_different(name: str) -> None:
    """Two cases merged into one row could hide a failure behind a pass."""
    published = published_name(f"[{name}", "").name

    assert (published == f"[{name}") == (name.isascii() and name.isprintable() and "#" not in name)


@given(st.text())
def test_one_line_is_printable_ascii(text: str) -> None:
    line = one_line(text)

    assert line.isascii()
    assert line.isprintable() or line == ""
