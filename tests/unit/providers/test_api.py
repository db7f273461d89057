from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from providers.access import Need, missing_permissions
from providers.api import Api, ApiRefused, ApiUnreachable
from providers.discovery import Kind, discover
from tests.support.fake_api import Answer, fake_api, write_kubeconfig
from upload.errors import ProviderError


def test_pages_follow_the_continue_token_to_the_end(tmp_path: Path) -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx2.Request) -> Answer:
        asked.append(dict(request.url.params))
        if "continue" in request.url.params:
            return {"items": [{"name": "c"}], "metadata": {}}
        return {"items": [{"name": "a"}, "nonsense", {"name": "b"}], "metadata": {"continue": "next"}}

    with fake_api(tmp_path, {"/api/v1/pods": answer}) as api:
        pages = list(api.pages("/api/v1/pods", {"labelSelector": "a=b"}))

    assert pages == [[{"name": "a"}, {"name": "b"}], [{"name": "c"}]]
    assert asked == [
        {"limit": "500", "labelSelector": "a=b"},
        {"limit": "500", "labelSelector": "a=b", "continue": "next"},
    ]


def test_a_refusal_carries_status_and_the_servers_words(tmp_path: Path) -> None:
    with fake_api(tmp_path, {"/api": 403}) as api, pytest.raises(ApiRefused) as caught:
        api.get("/api")

    assert (str(caught.value), caught.value.status) == ("GET /api: HTTP 403: status 403", 403)


@pytest.mark.parametrize(
    "error",
    [httpx2.ConnectError("refused"), httpx2.ReadTimeout("late"), httpx2.RemoteProtocolError("odd")],
    ids=lambda error: type(error).__name__,
)
def test_no_answer_names_the_server(tmp_path: Path, error: Exception) -> None:
    with (
        fake_api(tmp_path, {"/version": error}) as api,
        pytest.raises(ApiUnreachable, match=rf"http://api\.invalid does not answer GET /version: {error}"),
    ):
        api.get("/version")


@pytest.mark.parametrize(("body", "said"), [(b"[]", "not a JSON object"), (b"<html>", "not JSON")])
def test_an_answer_that_is_no_object_is_an_error(tmp_path: Path, body: bytes, said: str) -> None:
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, content=body))
    with Api(write_kubeconfig(tmp_path), transport=transport) as api, pytest.raises(ProviderError, match=said):
        api.get("/version")


def test_deleting_what_is_gone_is_fine_and_what_is_forbidden_is_not(tmp_path: Path) -> None:
    with fake_api(tmp_path, {"/gone": 404, "/forbidden": 403}) as api:
        api.delete("/gone")
        with pytest.raises(ApiRefused):
            api.delete("/forbidden")


@pytest.mark.parametrize(
    "text", ["", "[]", "clusters: 5", "current-context: x\nclusters: []\ncontexts: []\nusers: []", "{"]
)
def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)

    with pytest.raises(ProviderError, match=f"{path} cannot be used"):
        Api(path)


def resource(name: str, *, namespaced: bool = True, verbs: tuple[str, ...] = ("list", "delete")) -> dict[str, object]:
    return {"name": name, "kind": name.title(), "namespaced": namespaced, "verbs": list(verbs)}


def group(name: str, preferred: str, *versions: str) -> dict[str, object]:
    return {
        "name": name,
        "preferredVersion": {"version": preferred},
        "versions": [{"version": version} for version in versions],
    }


def test_discovery_lists_each_kind_once_in_the_preferred_version(tmp_path: Path) -> None:
    answers: dict[str, Answer] = {
        "/apis": {"groups": [group("g", "v1", "v2beta1", "v1"), group("broken", "v1", "v1")]},
        "/api/v1": {"resources": [resource("pods"), resource("pods/log"), resource("bindings", verbs=("create",))]},
        "/apis/g/v1": {"resources": [resource("things", namespaced=False)]},
        "/apis/g/v2beta1": {"resources": [resource("things", namespaced=False), resource("news")]},
        "/apis/broken/v1": 503,
    }
    problems: list[tuple[str, str]] = []

    with fake_api(tmp_path, answers) as api:
        kinds = discover(api, lambda what, error: problems.append((what, error)))

    verbs = frozenset({"list", "delete"})
    assert kinds == (
        Kind("", "v1", "pods", "Pods", True, verbs),
        Kind("g", "v1", "things", "Things", False, verbs),
        Kind("g", "v2beta1", "news", "News", True, verbs),
    )
    assert problems == [("/apis/broken/v1", "GET /apis/broken/v1: HTTP 503: status 503")]


def test_discovery_stops_when_the_server_stops_answering(tmp_path: Path) -> None:
    answers: dict[str, Answer] = {"/apis": {}, "/api/v1": httpx2.ConnectError("gone")}
    with fake_api(tmp_path, answers) as api, pytest.raises(ApiUnreachable):
        discover(api, lambda _what, _error: None)


@pytest.mark.parametrize(
    ("kind", "namespace", "path"),
    [
        (Kind("", "v1", "pods", "Pod", True, frozenset()), "", "/api/v1/pods"),
        (Kind("", "v1", "pods", "Pod", True, frozenset()), "ns", "/api/v1/namespaces/ns/pods"),
        (
            Kind("apps", "v1", "deployments", "Deployment", True, frozenset()),
            "ns",
            "/apis/apps/v1/namespaces/ns/deployments",
        ),
    ],
)
def test_a_kind_knows_its_paths(kind: Kind, namespace: str, path: str) -> None:
    assert kind.path(namespace) == path


@pytest.mark.parametrize(
    ("need", "text"),
    [
        (Need("get", "pods"), "get pods -A"),
        (Need("create", "deployments", group="apps", namespace="x"), "create deployments.apps -n x"),
        (Need("create", "pods", subresource="eviction", namespace="x"), "create pods --subresource=eviction -n x"),
    ],
)
def test_a_need_reads_as_kubectl_takes_it(need: Need, text: str) -> None:
    assert str(need) == text


def test_missing_permissions_needs_a_server_that_answers(tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path, "http://127.0.0.1:1")

    with pytest.raises(ApiUnreachable):
        missing_permissions(path, [Need("get", "pods")])
