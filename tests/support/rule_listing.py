"""A pytest plugin that lists, for each rule of the readers' contract, the files with tests that prove it.

``-p tests.support.rule_listing --rules-file FILE`` writes ``{rule: [file, …]}`` after collection.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLACES = ("tests/unit/upload", "tests/integration/upload", "tests/integration/readers")
LIST_S = 120


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rules-file", type=Path)


def pytest_collection_finish(session: pytest.Session) -> None:
    listed: defaultdict[str, set[str]] = defaultdict(set)
    for item in session.items:
        for mark in item.iter_markers("rule"):
            for rule in mark.args:
                listed[rule].add(str(item.path.relative_to(ROOT)))
    told = {rule: sorted(names) for rule, names in sorted(listed.items())}
    session.config.getoption("--rules-file").write_text(json.dumps(told), encoding="utf-8")


def list_rules(scratch: Path) -> dict[str, list[str]]:
    """Return rule → the files with tests that are marked with it, collected by another process."""
    listing = scratch / "rules.json"
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "tests.support.rule_listing"]
    done = subprocess.run(
        [*argv, "-m", "full or not full", "--rules-file", str(listing), *PLACES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIST_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return dict(json.loads(listing.read_text(encoding="utf-8")))
