"""Problems of configs as other programs take them: GitHub's workflow commands, and SARIF for code scanning."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from providers.config import Problem

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_RULE = "config"


def as_github(problems: Iterable[Problem]) -> str:
    """Return a workflow command for each problem: GitHub shows it at its line of the pull request.

    Every sign that could end a command or begin another one is escaped.
    Source: actions/toolkit packages/core/src/command.ts, escapeData and escapeProperty.
    """
    return "\n".join(_command(problem) for problem in problems)


def _command(problem: Problem) -> str:
    place = problem.place
    facts = {"file": place.file, "line": place.line, "col": place.column, "title": problem.key}
    told = ",".join(f"{key}={_property(str(value))}" for key, value in facts.items() if value)
    return f"::error {told}::{_data(str(problem))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(problems: Iterable[Problem]) -> str:
    """Return one run of SARIF 2.1.0 with a result for each problem. Addresses of files are those of ``Place``."""
    rules = [{"id": _RULE, "shortDescription": {"text": "A job config that cannot be used"}}]
    tool = {"driver": {"name": "e2e check", "rules": rules}}
    runs = [{"tool": tool, "columnKind": "unicodeCodePoints", "results": [_result(each) for each in problems]}]
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": runs}, indent=2)


def _result(problem: Problem) -> dict[str, Any]:
    place = problem.place
    physical: dict[str, Any] = {"artifactLocation": {"uri": quote(place.file)}}
    if place.line:
        physical["region"] = {"startLine": place.line, "startColumn": place.column}
    located = [{"physicalLocation": physical}]
    return {"ruleId": _RULE, "level": "error", "message": {"text": str(problem)}, "locations": located}
