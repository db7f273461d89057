"""The report of the full matrices: dealt out in shards, gone on with after a cut, one for a commit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TESTS = """
import pathlib, pytest

@pytest.mark.parametrize("n", range(5))
def test_case(n):
    ran = pathlib.Path(__file__).with_name("ran")
    ran.write_text((ran.read_text() if ran.exists() else "") + str(n))
    assert n != 3 or pathlib.Path(__file__).with_name("mended").exists()

def test_other():
    pytest.skip("no such machine")
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a repository of one commit with tests in it."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / ".gitignore").write_text("_results/\n__pycache__/\n.pytest_cache/\nran\nmended\n")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "Begin")):
        person = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *person, *words], cwd=tmp_path, check=True, timeout=30)
    return tmp_path


def run(tree: Path, *words: str) -> str:
    plugins = ("-p", "tests.support.report", "-p", "no:randomly", "-p", "no:random_order", "-p", "no:cacheprovider")
    argv = [sys.executable, "-m", "pytest", "-q", *plugins, "--report-dir", "docs/reports", *words]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(argv, cwd=tree, env=env, capture_output=True, text=True, timeout=60, check=False).stdout


def report(tree: Path) -> list[str]:
    (file,) = (tree / "docs/reports").iterdir()
    text = re.sub(r"\| [0-9.]+ \|", "|", file.read_text())
    return [line.removeprefix("| `test_it.py::").replace("`", "") for line in text.splitlines() if "test_it" in line]


def test_shards_make_one_report_and_what_passed_is_not_run_again(tree: Path) -> None:
    assert "3 passed, 3 deselected" in run(tree, "--shard", "1/2")
    assert "1 failed, 1 passed, 1 skipped, 3 deselected" in run(tree, "--shard", "2/2")

    assert sorted((tree / "ran").read_text()) == list("01234")
    assert report(tree) == [
        "test_case[0] | passed |",
        "test_case[1] | passed |",
        "test_case[2] | passed |",
        "test_case[3] | failed |",
        "test_case[4] | passed |",
        "test_other | skipped |",
    ]

    (tree / "mended").touch()
    assert "1 passed, 1 skipped, 4 deselected" in run(tree)
    assert report(tree)[3] == "test_case[3] | passed |"


def test_a_line_that_was_cut_is_run_again(tree: Path) -> None:
    run(tree, "test_it.py::test_case[0]", "test_it.py::test_case[1]")
    (records,) = (tree / "_results/full").iterdir()
    records.write_text(records.read_text()[:-5])

    run(tree, "test_it.py::test_case[0]", "test_it.py::test_case[1]")

    assert (tree / "ran").read_text() == "011"
    assert report(tree) == ["test_case[0] | passed |", "test_case[1] | passed |"]


def test_a_changed_tree_is_never_taken_for_its_commit(tree: Path) -> None:
    run(tree, "test_it.py::test_case[0]")
    (tree / "test_it.py").write_text(TESTS + "\n")

    run(tree, "test_it.py::test_case[0]")

    assert (tree / "ran").read_text() == "00"
    assert re.search(
        r"Commit [0-9a-f]{12}-changed-[0-9]{6}: 1 passed", next((tree / "docs/reports").iterdir()).read_text()
    )


@pytest.mark.parametrize("shard", ["3/2", "0/1", "1", "1/0", "x/y"])
def test_no_shard_is_said(shard: str, tree: Path) -> None:
    assert run(tree, "--shard", shard).strip().startswith("no tests ran")
