from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from e2e.plugin.namespaces import namespace_name
from providers.contracts import run_label


def test_name_tells_the_test() -> None:
    assert namespace_name("test_watch_sees_every_change", lambda: "ab12cd34") == "e2e-watch-sees-every-change-ab12cd34"


def test_two_names_differ() -> None:
    assert namespace_name("test_a") != namespace_name("test_a")


@given(st.text())
def test_name_is_a_dns_label(test_name: str) -> None:
    name = namespace_name(test_name)

    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 63


@given(st.from_regex(r"[a-z0-9][a-z0-9.-]{2,62}-[0-9]{14}", fullmatch=True))
def test_run_label_is_a_label_that_ends_in_the_build(run: str) -> None:
    label = run_label(run)

    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", label)
    assert len(label) <= 63
    assert label[-14:] == run[-14:]
