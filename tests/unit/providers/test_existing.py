from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from pydantic import ValidationError

from providers._kubeconfig import keep_secrets, minified
from providers._labelled import Found, deletable, labelled, namespaces
from providers._private import write_private
from providers.contracts import ClusterSpec
from providers.discovery import Kind
from providers.existing import ExistingProvider, ExistingSettings
from providers.testing import FolderBinaries, make_context
from tests.support.fake_api import Answer, fake_api
from upload.errors import ProviderError, UsageError

DOCUMENT = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "dev",
    "contexts": [
        {"name": "dev", "context": {"cluster": "c-dev", "user": "u-dev", "namespace": "team"}},
        {"name": "production", "context": {"cluster": "c-prod", "user": "u-prod"}},
        {"name": "lost", "context": {"cluster": "gone", "user": "u-dev"}},
        {"name": "anonymous", "context": {"cluster": "c-prod"}},
    ],
    "clusters": [
        {"name": "c-dev", "cluster": {"server": "https://dev:6443", "certificate-authority": "pki/ca.crt"}},
        {"name": "c-prod", "cluster": {"server": "https://prod:6443"}},
    ],
    "users": [
        {"name": "u-dev", "user": {"client-certificate": "/abs/crt", "client-key": "pki/key"}},
        {
            "name": "u-prod",
            "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "./plugin"}},
        },
    ],
}


def write(folder: Path, document: Any = DOCUMENT) -> Path:
    path = folder / "config"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def test_minified_holds_the_current_context_alone_with_absolute_files(tmp_path: Path) -> None:
    assert minified(write(tmp_path), None) == {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "dev",
        "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "dev", "namespace": "team"}}],
        "clusters": [
            {
                "name": "dev",
                "cluster": {"server": "https://dev:6443", "certificate-authority": str(tmp_path / "pki/ca.crt")},
            }
        ],
        "users": [{"name": "dev", "user": {"client-certificate": "/abs/crt", "client-key": str(tmp_path / "pki/key")}}],
    }


def test_minified_takes_the_named_context_and_keeps_its_plugin(tmp_path: Path) -> None:
    document = minified(write(tmp_path), "production")

    assert document["clusters"][0]["cluster"] == {"server": "https://prod:6443"}
    assert document["users"][0]["user"]["exec"]["command"] == str(tmp_path / "plugin")


def test_a_context_without_a_user_has_an_empty_one(tmp_path: Path) -> None:
    assert minified(write(tmp_path), "anonymous")["users"] == [{"name": "anonymous", "user": {}}]


@pytest.mark.parametrize(
    ("document", "context", "said", "hint"),
    [
        (DOCUMENT, "prodction", "has no context 'prodction'", "production"),
        (DOCUMENT, "zzzzzz", "has no context 'zzzzzz'", "one of anonymous, dev, lost, production"),
        (DOCUMENT, "lost", "has no cluster 'gone', which the context names", ""),
        ({**DOCUMENT, "current-context": None}, None, "has no current-context", "provider.context"),
        ({**DOCUMENT, "contexts": []}, "dev", "has no context 'dev'", "no contexts at all"),
        ({**DOCUMENT, "contexts": "x"}, "dev", "has no context 'dev'", "no contexts at all"),
        ("", None, "is not a kubeconfig", ""),
        ("- 1", None, "is not a kubeconfig", ""),
        ("a: [", None, "is not YAML", ""),
        ("\x00", None, "is not YAML", ""),
        ("x" * (4 * 1024 * 1024 + 1), None, "is larger than 4194304 bytes", ""),
    ],
    ids=[
        "typo", "unlike any", "cluster missing", "no current", "no contexts", "contexts no list",
        "empty", "list", "broken", "binary", "huge",
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_a_usage_error(
    tmp_path: Path, document: Any, context: str | None, said: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        minified(write(tmp_path, document), context)

    assert said in str(caught.value)
    assert str(tmp_path / "config") in str(caught.value)
    assert hint in caught.value.hint


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"kubeconfig .*/none: No such file or directory"):
        minified(tmp_path / "none", None)


@pytest.mark.parametrize(
    ("section", "fields", "said"),
    [
        ("clusters", {"proxy-url": "http://proxy"}, "the cluster uses proxy-url"),
        ("clusters", {"tls-server-name": "x"}, "the cluster uses tls-server-name"),
        ("users", {"auth-provider": {"name": "oidc"}}, "the user uses auth-provider"),
        ("users", {"exec": {"apiVersion": "client.authentication.k8s.io/v1"}}, "authentication.k8s.io/v1 are not"),
    ],
)
def test_what_the_client_cannot_do_is_said_at_once(
    tmp_path: Path, section: str, fields: dict[str, Any], said: str
) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    document[section][0][section[:-1]].update(fields)

    with pytest.raises(UsageError, match=said):
        minified(write(tmp_path, document), "dev")


def test_a_private_file_is_private_also_when_an_open_one_stood_there(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("old")
    (tmp_path / "kubeconfig").chmod(0o644)

    path = write_private(tmp_path / "kubeconfig", {"a": 1})

    assert (json.loads(path.read_text()), stat.S_IMODE(path.stat().st_mode)) == ({"a": 1}, 0o600)


def test_a_private_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="cannot be written"):
        write_private(tmp_path / "none" / "kubeconfig", {})


def test_credentials_of_a_kubeconfig_are_secrets_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token-in-a-file\n")
    key = base64.b64encode(b"a private key").decode()
    user = {
        "token": "token-in-place",
        "password": "short",
        "client-key-data": key,
        "client-certificate-data": "public",
        "tokenFile": str(tmp_path / "token"),
        "client-key": str(tmp_path / "none"),
    }
    kept: list[str] = []

    keep_secrets(write_private(tmp_path / "kubeconfig", {"users": [{"user": user}]}), kept.append)

    assert kept == ["token-in-place", key, "a private key", "token-in-a-file"]


@pytest.mark.parametrize("text", [None, "", "[]", '{"users": []}', '{"users": [{"user": 5}]}'], ids=str)
def test_a_kubeconfig_that_is_not_ours_has_no_secrets(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    kept: list[str] = []

    keep_secrets(path, kept.append)

    assert kept == []


@pytest.mark.parametrize(
    "section", [{"allow": ["everything"]}, {"dump": "all"}, {"context": ""}, {"contxt": "x"}], ids=str
)
def test_settings_that_cannot_be_meant_are_refused(section: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExistingSettings.model_validate(section)


def test_nothing_is_up_left_or_removed_before_up(tmp_path: Path) -> None:
    provider = ExistingProvider(ExistingSettings(kubeconfig=tmp_path / "none"))
    context = make_context(tmp_path / "c1", FolderBinaries(tmp_path, "v1.36.3"))

    provider.down(context)

    assert (provider.is_up(context), provider.leftovers(context)) == (False, ())


def test_an_unreachable_cluster_is_named_with_file_and_context(tmp_path: Path) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    document["clusters"][1]["cluster"]["server"] = "http://127.0.0.1:1"
    provider = ExistingProvider(ExistingSettings(kubeconfig=write(tmp_path, document), context="anonymous"))
    context = make_context(tmp_path / "c1", FolderBinaries(tmp_path, "v1.36.3"))

    with pytest.raises(ProviderError) as caught:
        provider.up(ClusterSpec(), context)

    assert "http://127.0.0.1:1 does not answer GET /version" in str(caught.value)
    assert f"(context 'anonymous' of {tmp_path / 'config'})" in str(caught.value)
    assert caught.value.hint == "kubectl --context anonymous version"


def kind(plural: str, group: str = "", *, namespaced: bool = False) -> Kind:
    return Kind(group, "v1", plural, plural.title(), namespaced, frozenset({"list", "delete"}))


def test_webhooks_go_before_namespaces_and_those_before_the_rest(tmp_path: Path) -> None:
    def resource(name: str, *, namespaced: bool = False, verbs: tuple[str, ...] = ("list", "delete")) -> dict[str, Any]:
        return {"name": name, "kind": name.title(), "namespaced": namespaced, "verbs": list(verbs)}

    names = ("clusterroles", "namespaces", "validatingwebhookconfigurations")
    answers: dict[str, Answer] = {
        "/apis": {},
        "/api/v1": {
            "resources": [
                *map(resource, names),
                resource("pods", namespaced=True),
                resource("reviews", verbs=("list",)),
            ]
        },
    }

    with fake_api(tmp_path, answers) as api:
        found = deletable(api, lambda _line: None)

    assert [each.plural for each in found] == ["validatingwebhookconfigurations", "namespaces", "clusterroles"]


def test_only_what_carries_exactly_our_label_is_found(tmp_path: Path) -> None:
    asked: list[str | None] = []
    notes: list[str] = []

    def answer(request: httpx2.Request) -> Answer:
        asked.append(request.url.params.get("labelSelector"))
        labels = [{"e2e-run": "mine"}, {"e2e-run": "other"}, {}, None]
        return {"items": [{"metadata": {"name": f"n{i}", "labels": each}} for i, each in enumerate(labels)]}

    with fake_api(tmp_path, {"/api/v1/namespaces": answer, "/api/v1/nodes": 403}) as api:
        found = labelled(api, (kind("namespaces"), kind("nodes")), "mine", notes.append)

    assert found == (Found(kind("namespaces"), "n0"),)
    assert found[0].path == "/api/v1/namespaces/n0"
    assert asked == ["e2e-run=mine"]
    assert notes == ["nodes cannot be listed: GET /api/v1/nodes: HTTP 403: status 403"]


def test_namespaces_of_a_run_are_sorted(tmp_path: Path) -> None:
    items = [{"metadata": {"name": name}} for name in ("b", "a")]

    with fake_api(tmp_path, {"/api/v1/namespaces": {"items": items}}) as api:
        assert namespaces(api, "mine") == ("a", "b")


def test_client_is_named_so_that_a_checkout_is_built_before_up() -> None:
    assert ExistingProvider(ExistingSettings()).programs(ClusterSpec()) == ("kubectl",)


@pytest.mark.parametrize("key", ["kubelet_version", "upgrade_to"])
def test_versions_of_somebodys_cluster_are_not_changed(key: str, tmp_path: Path) -> None:
    provider = ExistingProvider(ExistingSettings(kubeconfig=tmp_path / "absent"))
    spec = ClusterSpec(**{key: "v1.35.4"})  # type: ignore[arg-type]  # mypy takes it for any of the fields

    assert provider.refusals(ClusterSpec()) == {}
    assert provider.refusals(spec) == {key: "absent: provider existing changes no version"}
    with pytest.raises(UsageError, match=f"cluster.{key} must be absent"):
        provider.up(spec, make_context(tmp_path / "c1", FolderBinaries(tmp_path, "v1.36.3")))
