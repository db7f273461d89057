"""The folder of a run: private, locked, and written whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.lifecycle.folder import RunFolder, create_folder, make_private, write_private
from providers.contracts import Cluster
from tests.unit.e2e.lifecycle.test_state import make_state
from upload.errors import HarnessError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return create_folder(tmp_path, lambda attempt: f"run-{attempt}", tries=3)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folder_and_files_are_readable_by_nobody_else(folder: RunFolder) -> None:
    folder.write(make_state())
    folder.keep_secret("geheimnis")
    with folder.locked("run"):
        pass

    folders = [path for path in [folder.path.parent, *folder.path.rglob("*"), folder.path] if path.is_dir()]
    files = [path for path in folder.path.rglob("*") if path.is_file()]
    assert {mode(path) for path in folders} == {0o700}
    assert ({mode(path) for path in files}, len(files)) == ({0o600}, 3)


def test_missing_parents_are_private_too_and_others_are_left_alone(tmp_path: Path) -> None:
    before = mode(tmp_path)
    make_private(tmp_path / "state" / "e2e" / "runs")

    made = [tmp_path / part for part in ("state", "state/e2e", "state/e2e/runs")]
    assert ([mode(path) for path in made], mode(tmp_path)) == ([0o700] * 3, before)


def test_names_that_are_taken_are_passed_over(tmp_path: Path) -> None:
    made = [create_folder(tmp_path, lambda attempt: f"run-{attempt}", tries=3).name for _ in range(3)]

    assert made == ["run-0", "run-1", "run-2"]
    with pytest.raises(UsageError, match="there is a run run-0 already"):
        create_folder(tmp_path, lambda attempt: f"run-{attempt}", tries=3)


def test_state_folder_that_cannot_be_made_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError) as caught:
        create_folder(tmp_path / "file", str, tries=1)

    assert caught.value.hint == "export E2E_STATE_DIR=/a/folder/of/yours"


def test_state_is_read_back(folder: RunFolder) -> None:
    folder.write(make_state())

    assert folder.read() == make_state()
    assert sorted(path.name for path in folder.path.iterdir()) == ["cluster", "state.json", "work"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": 1}', b"\xff"])
def test_state_that_cannot_be_read_is_a_usage_error(folder: RunFolder, content: bytes) -> None:
    (folder.path / "state.json").write_bytes(content)

    with pytest.raises(UsageError):
        folder.read()


def test_second_process_is_told_who_holds_the_run(folder: RunFolder) -> None:
    code = (
        "import sys, pathlib; from e2e.lifecycle.folder import RunFolder; from upload.errors import UsageError\n"
        "try:\n  with RunFolder(pathlib.Path(sys.argv[1])).locked('down'): print('got it')\n"
        "except UsageError as error: print(error)"
    )

    def other() -> str:
        argv = [sys.executable, "-c", code, str(folder.path)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    with folder.locked("run"):
        assert folder.is_held()
        refused = other()

    assert refused == f"run-0 is held by e2e run (pid {os.getpid()})"
    assert not folder.is_held()
    assert other() == "got it"


def test_run_keeps_its_lock_when_it_is_renamed(folder: RunFolder) -> None:
    with folder.locked("run"):
        folder.rename("run-new")

        assert RunFolder(folder.path).is_held()
        assert folder.name == "run-new"


def test_rename_to_a_run_that_exists_is_refused(tmp_path: Path, folder: RunFolder) -> None:
    create_folder(tmp_path, lambda _: "other", tries=1)

    with pytest.raises(UsageError, match="there is a run other already"):
        folder.rename("other")


def test_secrets_are_read_back_but_for_a_line_cut_short(folder: RunFolder) -> None:
    folder.keep_secret("one\ntwo")
    folder.keep_secret("three")
    with folder.secrets_file.open("a") as file:
        file.write('"fo')

    assert folder.read_secrets() == ("one\ntwo", "three")


def test_facts_of_a_cluster_are_kept_until_it_is_forgotten(folder: RunFolder) -> None:
    facts = Cluster(name="c1", kubeconfig=Path("/k"), version="v1.36.3")
    folder.write_cluster("c1", facts)
    known = folder.read_cluster("c1")

    folder.forget_cluster("c1")

    assert (known, folder.read_cluster("c1")) == (facts, None)


def test_file_that_cannot_be_written_keeps_its_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, b"old")
    (tmp_path / f".file.{os.getpid()}").mkdir()

    with pytest.raises(HarnessError, match="cannot be written"):
        write_private(path, b"new")

    assert path.read_bytes() == b"old"
