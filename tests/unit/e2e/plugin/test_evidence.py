from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from e2e.plugin.evidence import Found, append_secrets, read_namespaces, write_evidence
from tests.support.fake_api import fake_api
from upload.censor import Censor

CANARY = "canary-in-a-secret"


def kind(
    name: str, plural: str, *, namespaced: bool = True, verbs: tuple[str, ...] = ("get", "list")
) -> dict[str, Any]:
    return {"name": plural, "kind": name, "namespaced": namespaced, "verbs": list(verbs)}


ANSWERS: dict[str, Any] = {
    "/apis": {"groups": []},
    "/api/v1": {
        "resources": [
            kind("Pod", "pods"),
            kind("Secret", "secrets"),
            kind("Event", "events"),
            kind("Node", "nodes", namespaced=False),
            kind("Binding", "bindings", verbs=("create",)),
            kind("Broken", "brokens"),
        ]
    },
    "/api/v1/namespaces/n/pods": {
        "items": [
            {
                "metadata": {"name": "p", "namespace": "n", "managedFields": [{"manager": "x"}]},
                "spec": {"containers": [{"name": "main"}, {"name": "side"}]},
            }
        ]
    },
    "/api/v1/namespaces/n/secrets": {
        "items": [
            {"metadata": {"name": "s"}, "type": "Opaque", "data": {"k": base64.b64encode(CANARY.encode()).decode()}}
        ]
    },
    "/api/v1/namespaces/n/events": {"items": [{"metadata": {"name": "e"}, "message": "hello"}]},
    "/api/v1/namespaces/n/brokens": 500,
}


def test_namespace_is_read_without_its_secrets(tmp_path: Path) -> None:
    with fake_api(tmp_path, ANSWERS) as api:
        found = read_namespaces(api, ["n"], with_logs=False)

    assert [(obj["kind"], obj["metadata"]["name"]) for obj in found.objects] == [("Pod", "p"), ("Secret", "s")]
    assert found.objects[0]["metadata"] == {"name": "p", "namespace": "n"}
    assert found.objects[1]["size_bytes"] == {"k": len(CANARY)}
    assert [obj["message"] for obj in found.events] == ["hello"]
    assert CANARY in found.secrets
    assert CANARY not in json.dumps([found.objects, found.events])
    assert [problem.partition(":")[0] for problem in found.problems] == ["brokens in n"]


def test_logs_are_read_where_pods_run(tmp_path: Path) -> None:
    with fake_api(tmp_path, {**ANSWERS, "/api/v1/namespaces/n/pods/p/log": 404}) as api:
        found = read_namespaces(api, ["n"], with_logs=True)

    assert {name: text.partition(":")[0] for name, text in found.logs.items()} == {
        "p_main.log": "no log",
        "p_side.log": "no log",
    }


def test_files_are_json_lines_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    found = Found(objects=[{"b": 1, "a": "\u00e4"}, {"c": 2}], logs={"p_main.log": f"said {CANARY}\n"})
    write_evidence(tmp_path, found, Censor([CANARY]))
    files = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}

    assert files == {
        "objects.jsonl": '{"a": "\\u00e4", "b": 1}\n{"c": 2}\n',
        "logs/p_main.log": f"said {'*' * len(CANARY)}\n",
    }


def test_secrets_are_appended_for_the_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "secrets.jsonl"
    append_secrets(file, {"b", "a\nb"})
    append_secrets(file, {"c"})
    append_secrets(file, set())

    assert [json.loads(line) for line in file.read_text().splitlines()] == ["a\nb", "b", "c"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_file_is_made_when_there_is_no_secret(tmp_path: Path) -> None:
    append_secrets(tmp_path / "secrets.jsonl", set())

    assert not (tmp_path / "secrets.jsonl").exists()


@pytest.mark.parametrize("answers", [{}, {"/apis": 500, "/api/v1": 500}], ids=["nothing", "broken"])
def test_cluster_that_cannot_be_asked_is_an_error_for_the_caller(tmp_path: Path, answers: dict[str, Any]) -> None:
    from upload.errors import ProviderError

    with fake_api(tmp_path, answers) as api, pytest.raises(ProviderError):
        read_namespaces(api, ["n"], with_logs=False)
