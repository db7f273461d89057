"""The build log: our lines with the time, a program's output as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.buildlog import BuildLog
from upload.errors import HarnessError


def test_own_lines_have_the_time_and_begin_a_line_of_their_own(tmp_path: Path) -> None:
    log = BuildLog(tmp_path / "build-log.txt", now_s=lambda: 0.0)
    log.plain("dots ...")
    log.line("Up: begins\nsecond line")
    log.plain("whole\n")
    log.line("")
    log.close()

    assert (tmp_path / "build-log.txt").read_text().splitlines() == [
        "dots ...",
        "1970-01-01T00:00:00Z Up: begins",
        "1970-01-01T00:00:00Z second line",
        "whole",
        "1970-01-01T00:00:00Z ",
    ]


def test_log_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    for text in ("one\n", "two\n"):
        log = BuildLog(tmp_path / "build-log.txt", now_s=lambda: 0.0)
        log.plain(text)
        log.close()

    assert (tmp_path / "build-log.txt").read_text() == "one\ntwo\n"


def test_log_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="cannot be written"):
        BuildLog(tmp_path / "none" / "build-log.txt", now_s=lambda: 0.0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_is_counted_and_ends_nothing() -> None:
    log = BuildLog(Path("/dev/full"), now_s=lambda: 0.0)
    log.line("hello")
    log.close()

    assert log.lost == 1
