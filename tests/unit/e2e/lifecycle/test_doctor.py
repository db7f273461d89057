"""What the doctor looks at, and the command it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.doctor import (
    Check,
    Level,
    check_credentials,
    check_disk,
    check_folder,
    check_python,
    check_store,
    examine,
)
from e2e.settings import read_settings
from upload.errors import Outcome
from upload.store.patience import Patience


@pytest.mark.parametrize(("version", "level"), [((3, 10, 9), Level.FAIL), ((3, 11, 0), Level.OK), ((4, 0), Level.OK)])
def test_python_must_be_new_enough(version: tuple[int, ...], level: Level) -> None:
    assert check_python(version).level is level


@pytest.mark.parametrize(
    ("free", "level"), [(0.5e9, Level.FAIL), (3e9, Level.WARN), (50e9, Level.OK)], ids=["full", "scarce", "enough"]
)
def test_disk_must_have_space(tmp_path: Path, free: float, level: Level) -> None:
    assert check_disk(tmp_path, usage=lambda _path: int(free)).level is level


def test_folder_that_can_be_made_is_fine_and_is_not_made(tmp_path: Path) -> None:
    check = check_folder("state", tmp_path / "a" / "b", "E2E_STATE_DIR")

    assert (check, (tmp_path / "a").exists()) == (Check("state", Level.OK, str(tmp_path / "a" / "b")), False)


def test_folder_that_cannot_be_written_names_its_variable() -> None:
    check = check_folder("state", Path("/proc/x"), "E2E_STATE_DIR")

    assert (check.level, check.hint) == (Level.FAIL, "export E2E_STATE_DIR=/a/folder/of/yours")


def test_folder_store_that_cannot_be_written_fails_as_results() -> None:
    check = check_store("file:///proc/x", patience=Patience())

    assert (check.level, check.outcome, check.hint) == (Level.FAIL, Outcome.RESULTS, "give --results a folder of yours")


def test_folder_needs_no_credentials(tmp_path: Path) -> None:
    settings = read_settings({"HOME": str(tmp_path)}, cwd=tmp_path)

    assert check_credentials(settings, "_results/bucket").level is Level.OK


def test_missing_go_is_a_warning_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    settings = read_settings({"HOME": str(tmp_path), "PATH": ""}, cwd=tmp_path)

    levels = {check.name: check.level for check in examine(settings, str(tmp_path / "bucket"), patience=Patience())}

    assert levels.pop("disk") in Level
    assert levels == {
        "python": Level.OK, "state": Level.OK, "cache": Level.OK, "go": Level.WARN, "credentials": Level.OK, "store": Level.OK,
    }  # fmt: skip
