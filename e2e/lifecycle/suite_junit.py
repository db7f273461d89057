"""The JUnit file of a suite: completed when pytest was killed before it wrote it, joined when cases had more attempts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from upload.model import Case


def complete_junit(path: Path, cases: Sequence[Case]) -> None:
    """Write the JUnit file of one attempt from what finished when pytest was killed before it wrote it whole."""
    if _is_whole(path) or not cases:
        return
    from upload.junit_render import render_one

    path.write_bytes(render_one(cases))


def join_junit(attempts: Sequence[Path], path: Path) -> None:
    """Write the cases of all attempts, in their order, into one file: only there is a case of one name one test."""
    if not attempts:
        return
    first, *later = attempts
    if not later:
        shutil.copyfile(first, path)
        return
    from junitparser import JUnitXml

    joined = JUnitXml.fromfile(str(first))
    for file in later:
        joined += JUnitXml.fromfile(str(file))
    joined.write(str(path))


def _is_whole(path: Path) -> bool:
    """Say whether the file ends as pytest's does: it writes it in one go, so a cut shows at the end."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64))
            return file.read().rstrip().endswith((b"</testsuites>", b"</testsuite>"))
    except FileNotFoundError:
        return False
