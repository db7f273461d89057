from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from upload.secrets import environment_secrets, file_secrets

KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"


def test_variables_named_like_a_secret_give_their_values() -> None:
    environment = {
        "GITHUB_TOKEN": "ghp_0123456789",
        "db_password": "correct horse",
        "AWS_SECRET_ACCESS_KEY": "AKIAIOSFODNN7",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/ci/key.json",
        "KEYCHAIN": "12345678",
        "SHORT_TOKEN": "1234567",
        "EMPTY_KEY": "",
        "HOSTNAME": "runner-01-eu",
    }

    assert environment_secrets(environment) == {
        "ghp_0123456789",
        "correct horse",
        "AKIAIOSFODNN7",
        "/home/ci/key.json",
        "12345678",
    }


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        (
            json.dumps({"type": "service_account", "private_key": KEY, "token_uri": "https://oauth2.example/token",
                        "client_email": "ci@example.com", "nested": {"tokens": ["abcdefgh1", "short"]}}),
            {KEY, "abcdefgh1"},
        ),
        ("[default]\naws_access_key_id = AKIAIOSFODNN7EX\naws_secret_access_key = wJalrXUtnFEMI/K7\nregion = eu-west-1\n",
         {"AKIAIOSFODNN7EX", "wJalrXUtnFEMI/K7"}),
        ("users:\n- name: admin\n  user:\n    client-key-data: TUlJRXZRSUJB\n    token: 'abc.def.ghi'\n", {"TUlJRXZRSUJB", "abc.def.ghi"}),
        ("machine example.com login ci password correct-horse\n", {"machine example.com login ci password correct-horse", "correct-horse"}),
        ("eyJhbGciOiJSUzI1NiJ9.e30.c2ln\n", {"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}),
        (f"# a comment\n{KEY}\n", {KEY}),
        ("", set()),
        ("[" * 100_000, {"[" * 100_000}),
    ],
    ids=["service account", "ini", "kubeconfig", "netrc", "token", "pem", "empty", "deep"],
)  # fmt: skip
def test_credential_file_gives_its_secrets(tmp_path: Path, text: str, secrets: set[str]) -> None:
    path = tmp_path / "file"
    path.write_text(text)

    assert file_secrets(path) == secrets


def test_file_that_is_none_gives_nothing(tmp_path: Path) -> None:
    fifo, large = tmp_path / "fifo", tmp_path / "large"
    os.mkfifo(fifo)
    large.write_text("x" * ((1 << 20) + 1))

    assert {file_secrets(path) for path in (tmp_path / "absent", tmp_path, fifo, large)} == {frozenset()}
