"""Marks: names that fit every cloud, and nothing taken for ours that is not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.machines.marks import Mark, described, labelled, mark_of, slug_of

RUNS = st.from_regex(r"[a-z0-9][a-z0-9.-]{2,62}-20[0-9]{12}", fullmatch=True)
OURS = Mark("ci-x-20260101000000", "me@here", 1_800_000_000)


@given(RUNS)
def test_names_and_labels_fit(run: str) -> None:
    mark = mark_of(run, "Someone@Some.Host", 1_800_000_000)

    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", mark.name("runner"))
    assert all(re.fullmatch(r"[a-z0-9_-]{0,63}", value) for value in mark.labels.values())


@given(RUNS, RUNS)
def test_two_runs_never_share_a_slug(one: str, other: str) -> None:
    assert (slug_of(one) == slug_of(other)) == (one == other)


@given(RUNS)
def test_labels_and_descriptions_are_read_back(run: str) -> None:
    mark = mark_of(run, "me", 1_800_000_000)

    assert labelled(mark.labels) == mark
    assert described(mark.name("net"), mark.description) == mark


@pytest.mark.parametrize(
    ("name", "description"),
    [
        pytest.param(OURS.name("net"), "", id="no description"),
        pytest.param("default", OURS.description, id="another name"),
        pytest.param(OURS.name("net"), '{"e2e-run": "ci-x-20260101000000"}', id="keys missing"),
        pytest.param(OURS.name("net"), '{"e2e-run": "", "e2e-owner": "", "e2e-expires": 1}', id="empty run"),
        pytest.param(OURS.name("net"), "[" * 5000, id="nesting"),
        pytest.param(OURS.name("net"), '{"e2e-run": "x", "e2e-owner": "", "e2e-expires": true}', id="no number"),
    ],
)
def test_name_and_description_must_match_both(name: str, description: str) -> None:
    assert described(name, description) is None


@pytest.mark.parametrize(
    "labels",
    [{}, {"e2e-run": "x"}, {"e2e-run": "", "e2e-expires": "1"}, {"e2e-run": "x", "e2e-expires": "²"}],
    ids=["none", "no expiry", "no run", "no digits"],
)
def test_labels_must_say_whose_and_until_when(labels: dict[str, str]) -> None:
    assert labelled(labels) is None
