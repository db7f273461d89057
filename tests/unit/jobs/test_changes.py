"""What differs between the jobs that were applied and those of now."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.changes import applied_xml, differences, save
from upload.errors import UsageError


def test_saved_jobs_are_read_again(tmp_path: Path) -> None:
    save({"a": b"<a/>\n", "b": b"<b/>\n"}, tmp_path)
    (tmp_path / "builds").mkdir()

    assert applied_xml(tmp_path) == {"a": b"<a/>\n", "b": b"<b/>\n"}


def test_jobs_that_come_go_and_change_are_shown() -> None:
    old = {"same": b"<x/>\n", "gone": b"<x/>\n", "changed": b"<x>\n1\n</x>\n"}
    new = {"same": b"<x/>  \r\n", "new": b"<x/>\n", "changed": b"<x>\n2\n</x>\n"}

    assert list(differences(old, new)) == [
        "--- applied/changed",
        "+++ rendered/changed",
        "@@ -1,3 +1,3 @@",
        " <x>",
        "-1",
        "+2",
        " </x>",
        "--- applied/gone",
        "+++ /dev/null",
        "@@ -1 +0,0 @@",
        "-<x/>",
        "--- /dev/null",
        "+++ rendered/new",
        "@@ -0,0 +1 @@",
        "+<x/>",
    ]


def test_folder_that_is_not_there_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder") as missing:
        applied_xml(tmp_path / "nothing")

    assert missing.value.hint.startswith("e2e jobs test --out")
