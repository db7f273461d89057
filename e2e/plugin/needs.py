"""What the suite's user must be allowed to do: declared by markers, implied by fixtures, united over the selected cases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from providers.access import Need, parse_needs

NEEDS = pytest.StashKey[tuple[Need, ...]]()

# what a fixture takes; before a namespace goes, its pods do (e2e.plugin.namespaces)
OF_FIXTURES = {
    "make_namespace": ("create,delete,get,list namespaces", "get serviceaccounts", "deletecollection pods"),
    "nodes": ("list nodes",),  # without it the facts of the cluster name none
}


class MalformedNeeds(ValueError):
    """A marker ``needs`` that says nothing or cannot be read; the message says what is wrong."""


class NeedsWriter:
    """Writes, once the cases are selected, what those that will run need: a JSON list in the form of the marker."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the union. Cases that are skipped ask for nothing."""
        run = [item for item in session.items if item.get_closest_marker("skip") is None]
        needs = sorted({need for item in run for need in item.stash.get(NEEDS, ())})
        self._file.write_text(json.dumps([need.declared for need in needs], indent=1) + "\n", encoding="utf-8")


def read_needs(file: Path) -> tuple[Need, ...]:
    """Return what ``NeedsWriter`` wrote. Raises: OSError, ValueError."""
    return tuple(need for text in json.loads(file.read_text(encoding="utf-8")) for need in parse_needs(text))


def stash_needs(items: Iterable[pytest.Item]) -> Iterator[str]:
    """Put the needs of each item into its stash; yield what is wrong with the others."""
    for item in items:
        try:
            item.stash[NEEDS] = needs_of(item)
        except MalformedNeeds as error:
            yield f"{item.nodeid} has a malformed marker: {error}"


def needs_of(item: pytest.Item) -> tuple[Need, ...]:
    """Return what a case needs by its markers, those of its module included, and by its fixtures. Raises MalformedNeeds."""
    fixtures = getattr(item, "fixturenames", ())
    implied = (text for name, texts in OF_FIXTURES.items() if name in fixtures for text in texts)
    declared = (text for mark in item.iter_markers("needs") for text in _texts(mark))
    try:
        return tuple(sorted({need for text in (*implied, *declared) for need in parse_needs(text)}))
    except ValueError as error:
        raise MalformedNeeds(f"needs: {error}") from error


def _texts(mark: pytest.Mark) -> tuple[str, ...]:
    if not mark.args or mark.kwargs or not all(isinstance(text, str) for text in mark.args):
        raise ValueError("it takes texts such as 'pods' or 'get,list nodes', one at least")
    return tuple(mark.args)
