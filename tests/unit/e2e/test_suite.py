"""Rules about the suite that can be read off its source, and the table in each folder's README."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.sabotages import SABOTAGES, SAMPLE

Golden = Callable[[str, bytes], None]

SUITE = Path(__file__).parents[3] / "e2e/suite"
FOLDERS = sorted(path for path in SUITE.iterdir() if list(path.glob("test_*.py")))


@dataclass(frozen=True)
class Listed:
    """One test function as its source says."""

    file: str
    name: str
    title: str
    cites: tuple[str, ...]
    markers: tuple[str, ...]


def listed(folder: Path) -> list[Listed]:
    found = []
    for path in sorted(folder.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                calls = [d for d in node.decorator_list if isinstance(d, ast.Call)]
                cites = [
                    str(arg.value)
                    for call in calls
                    if ast.unparse(call.func) == "pytest.mark.cite"
                    for arg in call.args
                    if isinstance(arg, ast.Constant)
                ]
                title = (ast.get_docstring(node) or "").partition("\n")[0].rstrip(".")
                markers = tuple(ast.unparse(d) for d in node.decorator_list)
                found.append(Listed(path.name, node.name, title, tuple(cites), markers))
    return found


def table(folder: Path) -> str:
    rows = [f"| {each.title} | `{each.file}::{each.name}` | {'<br>'.join(each.cites)} |" for each in listed(folder)]
    sig = folder.name.replace("_", "-")
    head = ["| behaviour | test | upstream conformance case or document |", "|---|---|---|"]
    return "\n".join([f"# sig-{sig}", "", *head, *rows, ""])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_readme_is_the_table_of_the_folder(folder: Path, golden: Golden) -> None:
    golden(str(folder / "README.md"), table(folder).encode())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_case_cites_what_it_follows(folder: Path) -> None:
    assert [f"{each.file}::{each.name}" for each in listed(folder) if not each.cites] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_conformance_cases_cite_a_conformance_test(folder: Path) -> None:
    wrong = [
        f"{each.file}::{each.name}"
        for each in listed(folder)
        if "pytest.mark.conformance" in each.markers and not any(c.endswith("[Conformance]") for c in each.cites)
    ]

    assert wrong == []


def test_suite_is_as_broad_as_promised() -> None:
    cases = [each for folder in FOLDERS for each in listed(folder)]

    assert len(cases) >= 40


def depended_on(source: str) -> set[str]:
    """Return the values of ``depends(...)`` in a module of the suite."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    args = [arg for call in calls if ast.unparse(call.func).endswith("mark.depends") for arg in call.args]
    return {str(ast.literal_eval(arg)) for arg in args}


def test_everything_that_cases_depend_on_can_be_switched_off() -> None:
    parts = {part for path in SUITE.rglob("*.py") for part in depended_on(path.read_text(encoding="utf-8"))}
    sabotaged = [sabotage.part for sabotage in SABOTAGES]

    assert sorted(parts) == sorted(sabotaged), "tests/support/sabotages.py holds one for each value of depends(...)"
    assert parts >= SAMPLE
