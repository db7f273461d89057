"""Versions of real git checkouts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from providers.git_version import GitVersion, as_version, read_git
from upload.errors import UsageError

ROOT = Path(__file__).parents[3]
QUIET = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
NOBODY = ("-c", "user.name=n", "-c", "user.email=n@example.com", "-c", "init.defaultBranch=main")


def git(folder: Path, *words: str) -> str:
    argv = ["git", "-C", str(folder), *NOBODY, *words]
    done = subprocess.run(argv, capture_output=True, text=True, env=os.environ | QUIET, timeout=60, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "file").write_text("one\n")
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def commit(checkout: Path) -> str:
    git(checkout, "commit", "-q", "--allow-empty", "-m", "more")
    return git(checkout, "rev-parse", "HEAD")


def test_tag_is_the_version(checkout: Path) -> None:
    git(checkout, "tag", "v1.36.3")

    assert read_git(checkout, env=os.environ) == GitVersion("v1.36.3", git(checkout, "rev-parse", "HEAD"))


def test_commits_after_a_tag_are_counted(checkout: Path) -> None:
    git(checkout, "tag", "v1.36.3")
    commit(checkout)
    sha = commit(checkout)

    assert read_git(checkout, env=os.environ) == GitVersion(f"v1.36.3-2+{sha[:14]}", sha)


def test_checkout_without_a_tag_has_its_commit(checkout: Path) -> None:
    sha = git(checkout, "rev-parse", "HEAD")

    assert read_git(checkout, env=os.environ) == GitVersion(f"v0.0.0+{sha[:14]}", sha)
    assert not read_git(checkout, env=os.environ).is_tagged


def test_change_that_is_not_committed_is_told(checkout: Path) -> None:
    git(checkout, "tag", "v1.36.3")
    (checkout / "file").write_text("other\n")

    assert read_git(checkout, env=os.environ).version == "v1.36.3-dirty"
    assert read_git(checkout, env=os.environ).is_dirty


@pytest.mark.parametrize(("untracked", "version"), [(False, "v1.36.3"), (True, "v1.36.3-dirty")])
def test_file_that_git_does_not_know_counts_where_it_would_be_compiled(
    checkout: Path, untracked: bool, version: str
) -> None:
    git(checkout, "tag", "v1.36.3")
    (checkout / "new.go").write_text("package x\n")

    assert read_git(checkout, env=os.environ, untracked=untracked).version == version


def test_folder_counts_and_not_the_variables_of_a_hook(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other"))

    assert read_git(checkout, env=os.environ).version.startswith("v0.0.0+")


def test_settings_of_the_caller_count(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # as safe.directory is given where the checkout is another user's
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "no boolean")

    with pytest.raises(UsageError, match=r"core\.bare"):
        read_git(checkout, env=os.environ)


@pytest.mark.parametrize("made", [True, False], ids=["no-checkout", "no-folder"])
def test_folder_that_is_no_checkout_is_refused(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "folder"
    if made:
        folder.mkdir()

    with pytest.raises(UsageError, match=str(folder)):
        read_git(folder, env=os.environ)


def test_machine_without_git_is_told(checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="git is not installed"):
        read_git(checkout, env=os.environ)


@pytest.mark.parametrize("told", ["", "v1.2.3"], ids=["from-git", "from-a-flag"])
def test_published_build_names_what_was_tested(checkout: Path, tmp_path: Path, told: str) -> None:
    git(checkout, "tag", "v1.36.3")
    sha = commit(checkout)
    (tmp_path / "art").mkdir()
    (tmp_path / "art" / "junit_01.xml").write_text('<testsuite><testcase name="[a] b" time="1"/></testsuite>')
    argv = [sys.executable, "-m", "e2e", "publish", "art", "--job", "ci-kubernetes-x", "--build", "7"]
    argv += ["--results", "bucket", "--source", str(checkout), *(("--version", told) if told else ())]
    env = os.environ | {"E2E_STATE_DIR": str(tmp_path / "state"), "PYTHONPATH": str(ROOT)}

    subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, timeout=60, check=True)

    build = tmp_path / "bucket" / "logs" / "ci-kubernetes-x" / "7"
    started, finished = (json.loads((build / name).read_text()) for name in ("started.json", "finished.json"))
    version = told or f"v1.36.3-1+{sha[:14]}"
    assert (started["version"], started["repo-commit"], finished["version"]) == (version, sha, version)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").glob("**/")} == {0o700}


@pytest.mark.parametrize(
    ("described", "version"),
    [
        pytest.param("v1.36.3", "v1.36.3", id="tag"),
        pytest.param("v1.37.0-alpha.1", "v1.37.0-alpha.1", id="pre-release"),
        pytest.param("v1.36.3-12-g84c76d1142ea4d", "v1.36.3-12+84c76d1142ea4d", id="after-a-release"),
        pytest.param("v1.37.0-alpha.1-6-g84c76d1142ea4d", "v1.37.0-alpha.1.6+84c76d1142ea4d", id="after-a-pre-release"),
        pytest.param("84c76d1142ea4d", "v0.0.0+84c76d1142ea4d", id="no-tag"),
    ],
)
def test_described_commit_becomes_a_version_of_kubernetes(described: str, version: str) -> None:
    assert as_version(described) == version
