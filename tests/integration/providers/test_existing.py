from __future__ import annotations

import json
import secrets
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers import kwok
from providers.access import Need, missing_permissions
from providers.api import Api, ApiRefused
from providers.contracts import RUN_LABEL, Binaries, Cluster, ClusterSpec, Context, Provider, Resource, run_label
from providers.existing import ExistingProvider, ExistingSettings
from providers.testing import ProviderContract, RecordedSteps, make_context
from tests.support.cluster import Running
from upload.errors import ProviderError, StepError

SPEC = ClusterSpec()
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


def own_run(context: Context) -> Context:
    """Return the context of a run that no other test has: they share a cluster, where namespaces take their time to go."""
    return replace(context, run=f"ci-kubernetes-e2e-{secrets.token_hex(4)}-20260101000000")


@pytest.fixture
def context(tmp_path: Path, binaries: Binaries) -> Context:
    return own_run(make_context(tmp_path / "c1", binaries))


@pytest.fixture
def provider(local_cluster: Running) -> Provider:
    return ExistingProvider(ExistingSettings(kubeconfig=local_cluster.cluster.kubeconfig))


class TestExistingProvider(ProviderContract):
    """The contract of every provider; the cluster stays up."""

    owns_cluster = False


@pytest.fixture
def api(local_cluster: Running) -> Iterator[Api]:
    with Api(local_cluster.cluster.kubeconfig) as api:
        yield api


@pytest.fixture
def create(api: Api) -> Iterator[Callable[[str, dict[str, Any]], str]]:
    """Return a function that creates an object and returns its path; what is left of it goes after the test."""
    with ExitStack() as stack:

        def make(path: str, body: dict[str, Any]) -> str:
            name = api.post(path, body)["metadata"]["name"]
            stack.callback(api.delete, f"{path}/{name}")
            return f"{path}/{name}"

        yield make


def marked(name: str, run: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {RUN_LABEL: run_label(run)}}}


def exists(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ApiRefused:
        return False
    return True


def test_facts_of_a_cluster_of_hollow_nodes(local_cluster: Running, provider: Provider, context: Context) -> None:
    cluster = provider.up(SPEC, context)

    known = local_cluster.cluster
    assert cluster == Cluster(
        name="c1",
        kubeconfig=context.folder / "kubeconfig",
        version=known.version,
        nodes=known.nodes,
        features=frozenset({"hollow-nodes"}),
        kubectl=known.kubectl,
        allow=frozenset(),
    )
    assert stat.S_IMODE(cluster.kubeconfig.stat().st_mode) == 0o600


def test_what_the_config_allows_is_allowed(local_cluster: Running, context: Context) -> None:
    settings = {"kubeconfig": str(local_cluster.cluster.kubeconfig), "allow": ["preempts", "cluster_scoped"]}
    provider = ExistingProvider(ExistingSettings.model_validate(settings))

    assert provider.up(SPEC, context).allow == {"preempts", "cluster_scoped"}


def test_down_removes_what_carries_the_runs_label_and_nothing_else(
    api: Api, create: Callable[[str, dict[str, Any]], str], provider: Provider, context: Context
) -> None:
    provider.up(SPEC, context)
    ours = [
        create("/api/v1/namespaces", marked("existing-ours", context.run)),
        create(ROLES, marked("existing-ours", context.run)),
    ]
    theirs = [
        create("/api/v1/namespaces", marked("existing-other-run", "another-20260101000000")),
        create("/api/v1/namespaces", {"metadata": {"name": "existing-unmarked"}}),
        create(ROLES, {"metadata": {"name": "existing-unmarked"}}),
    ]

    before = provider.leftovers(context)
    provider.down(context)

    assert before == (Resource("Namespace", "existing-ours"), Resource("ClusterRole", "existing-ours"))
    assert provider.leftovers(context) == ()
    assert [exists(api, path) for path in (*ours, *theirs)] == [False, False, True, True, True]
    assert provider.is_up(context)


def test_down_says_what_does_not_go_away(
    api: Api, create: Callable[[str, dict[str, Any]], str], local_cluster: Running, binaries: Binaries, tmp_path: Path
) -> None:
    provider = ExistingProvider(ExistingSettings(kubeconfig=local_cluster.cluster.kubeconfig))
    context = own_run(make_context(tmp_path / "c1", binaries, seconds=2))
    provider.up(SPEC, context)
    body = marked("existing-held", context.run)
    body["metadata"]["finalizers"] = ["example.com/held"]
    held = create(ROLES, body)

    with pytest.raises(
        StepError, match=r"Delete labelled objects: not done after 2 s; last: clusterroles existing-held"
    ):
        provider.down(context)

    released = api.get(held)
    released["metadata"]["finalizers"] = []
    api.put(held, released)


def test_switching_contexts_between_up_and_down_changes_nothing(
    local_cluster: Running, context: Context, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_bytes(local_cluster.cluster.kubeconfig.read_bytes())
    provider = ExistingProvider(ExistingSettings(kubeconfig=config))
    provider.up(SPEC, context)

    config.write_text("{}")

    assert provider.is_up(context)
    assert provider.leftovers(context) == ()


def test_a_dump_holds_the_runs_namespaces_nodes_and_versions_only(
    api: Api, create: Callable[[str, dict[str, Any]], str], provider: Provider, context: Context, tmp_path: Path
) -> None:
    provider.up(SPEC, context)
    create("/api/v1/namespaces", marked("existing-dumped", context.run))
    create("/api/v1/namespaces/existing-dumped/configmaps", {"metadata": {"name": "mine"}})
    create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "theirs"}})

    provider.dump(context, tmp_path / "dump")

    maps = [
        json.loads(line) for line in (tmp_path / "dump/resources/core_v1_configmaps.jsonl").read_text().splitlines()
    ]
    assert {(each["metadata"]["namespace"], each["metadata"]["name"]) for each in maps} <= {
        ("existing-dumped", "mine"),
        ("existing-dumped", "kube-root-ca.crt"),
    }
    assert "mine" in {each["metadata"]["name"] for each in maps}
    assert (tmp_path / "dump/resources/core_v1_nodes.jsonl").exists()
    assert not list((tmp_path / "dump/resources").glob("*clusterroles*"))
    assert not (tmp_path / "dump/nodes").exists()


def test_a_full_dump_holds_everything(local_cluster: Running, context: Context, tmp_path: Path) -> None:
    provider = ExistingProvider(ExistingSettings(kubeconfig=local_cluster.cluster.kubeconfig, dump="full"))
    provider.up(SPEC, context)

    provider.dump(context, tmp_path / "dump")

    assert list((tmp_path / "dump/resources").glob("*clusterroles*"))


def test_a_server_that_never_answers_is_given_up_after_a_few_seconds(context: Context, tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind((kwok.LOOPBACK, 0))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(8)]  # the queue is full: further connections are never accepted
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        config = tmp_path / "config"
        server = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        config.write_text(
            json.dumps(
                {
                    "current-context": "x",
                    "contexts": [{"name": "x", "context": {"cluster": "x"}}],
                    "clusters": [{"name": "x", "cluster": {"server": server}}],
                }
            )
        )
        started = time.monotonic()

        with pytest.raises(ProviderError, match=rf"{server} does not answer GET /version: .* of {config}\)"):
            ExistingProvider(ExistingSettings(kubeconfig=config)).up(SPEC, context)

        assert time.monotonic() - started < 9
        for filler in fillers:
            filler.close()


def test_an_administrator_misses_nothing(local_cluster: Running) -> None:
    needs = [Need("*", "*", group="*"), Need("create", "pods", subresource="eviction", namespace="default")]

    assert missing_permissions(local_cluster.cluster.kubeconfig, needs, trust_env=False) == ()


def test_permissions_that_a_user_lacks_are_named(
    api: Api, create: Callable[[str, dict[str, Any]], str], local_cluster: Running, tmp_path: Path
) -> None:
    account = create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "existing-poor"}})
    token = api.post(f"{account}/token", {"spec": {"expirationSeconds": 600}})["status"]["token"]
    document = json.loads(local_cluster.cluster.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    config = tmp_path / "config"
    config.write_text(json.dumps(document))
    may = Need("create", "selfsubjectaccessreviews", group="authorization.k8s.io")
    needs = [Need("list", "nodes"), may, Need("create", "namespaces"), Need("list", "nodes")]

    missing = missing_permissions(config, needs, trust_env=False)

    assert missing == (Need("create", "namespaces"), Need("list", "nodes"))


def test_a_user_who_may_not_list_nodes_gets_a_cluster_of_unknown_nodes(
    api: Api, create: Callable[[str, dict[str, Any]], str], local_cluster: Running, binaries: Binaries, tmp_path: Path
) -> None:
    account = create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "existing-blind"}})
    token = api.post(f"{account}/token", {"spec": {"expirationSeconds": 600}})["status"]["token"]
    document = json.loads(local_cluster.cluster.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token}
    config = tmp_path / "config"
    config.write_text(json.dumps(document))
    steps = RecordedSteps()
    context = make_context(tmp_path / "c1", binaries, steps=steps)

    cluster = ExistingProvider(ExistingSettings(kubeconfig=config)).up(SPEC, context)

    assert cluster.nodes == ()
    assert cluster.features == {"pods-run"}
    assert len(steps.notes) == 1
    assert steps.notes[0].startswith("nodes are unknown: GET /api/v1/nodes: HTTP 403: nodes is forbidden")
