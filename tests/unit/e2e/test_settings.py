"""What is read from the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.settings import read_settings
from upload.errors import UsageError


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({"E2E_STATE_DIR": "/s", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/s", id="own-variable"),
        pytest.param({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/federated-e2e", id="xdg"),
        pytest.param({"HOME": "/h"}, "/h/.local/state/federated-e2e", id="home"),
    ],
)
def test_state_folder_is_found(variables: dict[str, str], expected: str, tmp_path: Path) -> None:
    assert read_settings(variables, cwd=tmp_path).state == Path(expected)


def test_without_a_home_the_message_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings({}, cwd=tmp_path)

    assert caught.value.hint == "export E2E_STATE_DIR=/some/folder"


def test_jenkins_facts_become_metadata(tmp_path: Path) -> None:
    variables = {"HOME": "/h", "JOB_NAME": "nightly", "BUILD_NUMBER": "17", "BUILD_URL": "https://ci.example.com/17/"}

    assert read_settings(variables, cwd=tmp_path).metadata == (
        ("jenkins-job", "nightly"),
        ("jenkins-build", "17"),
        ("jenkins-url", "https://ci.example.com/17/"),
    )


def test_secrets_come_from_variables_and_credential_files(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(json.dumps({"private_key": "-----abcdefgh", "client_email": "who@example.com"}))
    variables = {
        "HOME": str(tmp_path),
        "GITHUB_TOKEN": "ghp_0123456789",
        "SHORT_TOKEN": "short",
        "MINE": "my-own-secret",
        "E2E_SECRETS": "MINE, ABSENT",
        "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json"),
        "PATH": "/usr/bin:/bin:/sbin",
    }

    found = read_settings(variables, cwd=tmp_path).secrets

    assert set(found) == {"ghp_0123456789", "my-own-secret", "-----abcdefgh", str(tmp_path / "key.json")}


def test_secrets_are_not_shown_when_settings_are_printed(tmp_path: Path) -> None:
    shown = repr(read_settings({"HOME": "/h", "GITHUB_TOKEN": "ghp_0123456789"}, cwd=tmp_path))

    assert "ghp_0123456789" not in shown


def test_child_gets_neither_jenkins_cookies_nor_the_callers_pytest_options(tmp_path: Path) -> None:
    variables = {"HOME": "/h", "JENKINS_NODE_COOKIE": "c", "PYTEST_ADDOPTS": "-x", "LANG": "C"}

    assert read_settings(variables, cwd=tmp_path).child_variables() == {"HOME": "/h", "LANG": "C"}
