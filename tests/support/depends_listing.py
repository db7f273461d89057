"""A pytest plugin that lists, for each case of the suite, what it says must turn it red.

``-p tests.support.depends_listing --depends-file FILE`` writes ``{title: [component, …]}`` after collection.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.plugin.selection import TITLE


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--depends-file", type=Path)


def pytest_collection_finish(session: pytest.Session) -> None:
    listed = {
        item.stash[TITLE]: sorted({name for mark in item.iter_markers("depends") for name in mark.args})
        for item in session.items
    }
    session.config.getoption("--depends-file").write_text(json.dumps(listed), encoding="utf-8")
