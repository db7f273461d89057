"""Rules about the files of the project that no linter knows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

RELEASE_HOSTS = re.compile(r"dl\.k8s\.io|cdn\.dl\.k8s\.io|registry\.k8s\.io|github\.com/[\w.-]+/[\w.-]+/releases")
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:root|work)/\w")
LONGEST = 400


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)]


def places(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    found = []
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return found


def code(*, with_tests: bool) -> list[Path]:
    return [p for p in tracked(".py") if with_tests or p.relative_to(ROOT).parts[0] != "tests"]


def test_release_hosts_stand_in_one_file() -> None:
    paths = [p for p in code(with_tests=True) if p != ROOT / "providers/releases/sources.py" and p != Path(__file__)]

    assert places(RELEASE_HOSTS, paths) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    paths = [p for p in tracked() if p != Path(__file__) and p.suffix not in (".png", ".gz", ".sum")]

    assert places(MACHINE_PATHS, paths) == []


def test_the_lock_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text()

    assert "://" not in lock
    assert lock.count("--hash=sha256:") > lock.count("==")


@pytest.mark.parametrize("path", code(with_tests=False), ids=lambda p: str(p.relative_to(ROOT)))
def test_module_is_short_enough_to_be_one_idea(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= LONGEST, f"{lines} lines: split it"


def test_top_level_folders_are_the_fixed_ones() -> None:
    tops = {p.relative_to(ROOT).parts[0] for p in tracked() if len(p.relative_to(ROOT).parts) > 1}

    assert tops <= {"e2e", "providers", "upload", "jobs", "dashboard_feed", "tests", "docs", "changelog.d", ".ci"}
