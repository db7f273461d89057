from __future__ import annotations

import pytest

from dashboard_feed.testgrid.edit_groups import group_names, with_dashboard
from upload.errors import UsageError

BLOCK = """\
# who shows what
dashboard_groups:
- name: conformance   # all
  dashboard_names:
    - conformance-all
    - conformance-kind  # the last one
- name: provider
  dashboard_names: [provider-a, "provider-ü"]
dashboards: []
"""


@pytest.mark.parametrize(
    ("group", "name", "old", "new"),
    [
        pytest.param(
            "conformance",
            "conformance-me",
            "    - conformance-kind  # the last one\n",
            "    - conformance-kind  # the last one\n    - conformance-me\n",
            id="block",
        ),
        pytest.param("provider", "provider-me", 'provider-ü"]', 'provider-ü", provider-me]', id="flow"),
        pytest.param("provider", "provider-a", "", "", id="there already"),
    ],
)
def test_all_else_stays_as_it_was(group: str, name: str, old: str, new: str) -> None:
    assert with_dashboard(BLOCK.encode(), group, name, "f") == BLOCK.replace(old, new).encode()


def test_a_file_without_an_end_of_line_is_extended() -> None:
    old = b"dashboard_groups:\n- name: g\n  dashboard_names:\n  - g-a"

    assert with_dashboard(old, "g", "g-b", "f") == old + b"\n  - g-b"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"dashboards: []", "f: dashboard group g has no list of names", id="no group"),
        pytest.param(b"dashboard_groups: [{name: g, dashboard_names: []}]", "has no list of names", id="empty"),
        pytest.param(b"dashboard_groups: [{name: g, dashboard_names: [{}]}]", "has no list of names", id="no names"),
        pytest.param(b"a: [", "f: not YAML", id="no YAML"),
        pytest.param(b"\xff", "f: not YAML", id="no text"),
        pytest.param(
            b"dashboard_groups:\n- {name: g, dashboard_names: [a]}\n- {name: g, dashboard_names: [b]}\n",
            "nothing can be put into what is written so",
            id="twice",
        ),
    ],
)
def test_what_cannot_be_extended_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        with_dashboard(content, "g", "g-b", "f")


def test_groups_are_named() -> None:
    assert group_names(BLOCK.encode(), "f") == ("conformance", "provider")
    assert group_names(b"dashboard_groups: {}", "f") == ()
