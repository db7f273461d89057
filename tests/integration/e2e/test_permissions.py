"""The gate of a cluster of strangers: what the selected cases declare is what they need, and is asked before the first."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.lifecycle.permissions import LEAST, check_permissions
from e2e.lifecycle.tester_pytest import PYTEST, SUITE
from e2e.plugin.needs import read_needs
from providers.access import Need
from providers.api import Api
from providers.contracts import Cluster
from providers.releases.sources import sources_from_env
from tests.support.cluster import Running
from tests.support.harness import Done, Harness
from upload.errors import ProviderError

PATIENCE_S = 900.0
RBAC = "/apis/rbac.authorization.k8s.io/v1"
MakeUser = Callable[[str, Iterable[Need]], Path]
RunAs = Callable[..., Done]


@pytest.fixture
def make_user(local_cluster: Running, tmp_path: Path) -> Iterator[MakeUser]:
    """Return a function that makes a user with exactly these permissions, and returns his kubeconfig."""
    made: list[str] = []
    with Api(local_cluster.cluster.kubeconfig) as api:

        def create(path: str, body: dict[str, Any]) -> None:
            api.post(path, body)
            made.append(f"{path}/{body['metadata']['name']}")

        def make(name: str, needs: Iterable[Need]) -> Path:
            metadata, accounts = {"name": f"gate-{name}"}, "/api/v1/namespaces/default/serviceaccounts"
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"gate-{name}"}
            subject = {"kind": "ServiceAccount", "name": f"gate-{name}", "namespace": "default"}
            create(accounts, {"metadata": metadata})
            create(f"{RBAC}/clusterroles", {"metadata": metadata, "rules": [rule(need) for need in sorted(needs)]})
            binding = {"metadata": metadata, "roleRef": reference, "subjects": [subject]}
            create(f"{RBAC}/clusterrolebindings", binding)
            token = api.post(f"{accounts}/gate-{name}/token", {"spec": {"expirationSeconds": 3600}})["status"]["token"]
            document = yaml.safe_load(local_cluster.cluster.kubeconfig.read_text())
            document["users"][0]["user"] = {"token": token}
            kubeconfig = tmp_path / f"kubeconfig-{name}"
            kubeconfig.write_text(yaml.safe_dump(document))
            return kubeconfig

        yield make
        for path in made:
            api.delete(path)


def rule(need: Need) -> dict[str, list[str]]:
    """Return the rule of a ClusterRole that allows exactly this."""
    if need.is_url:
        return {"verbs": [need.verb], "nonResourceURLs": [need.resource]}
    resource = f"{need.resource}/{need.subresource}" if need.subresource else need.resource
    return {"verbs": [need.verb], "apiGroups": [need.group], "resources": [resource]}


def declared(cluster: Cluster, home: Path, *args: str) -> tuple[Need, ...]:
    """Return what the suite's cases that run on this cluster say they need."""
    facts, needs = home / "c1.json", home / "needs.json"
    facts.write_text(json.dumps(cluster.to_json()))
    argv = [*PYTEST, "-c", str(SUITE / "pytest.ini"), "--rootdir", str(SUITE), str(SUITE), "--collect-only", "-qq"]
    argv += ["--e2e-cluster", str(facts), "--e2e-needs", str(needs), *args]
    subprocess.run(argv, cwd=SUITE, capture_output=True, text=True, timeout=60, check=True)
    return read_needs(needs)


@pytest.fixture
def run_as(harness: Harness) -> RunAs:
    """Return a function that runs the suite on the shared cluster, as on somebody's, with a user's kubeconfig."""
    harness.variables["E2E_CACHE_DIR"] = str(sources_from_env(os.environ).cache)

    def run(kubeconfig: Path, *args: str, allow: Iterable[str] = ()) -> Done:
        path = harness.write_job(timeouts={"test": "20m", "total": "40m"})
        document = yaml.safe_load(path.read_text())
        document["provider"] = {"name": "existing", "kubeconfig": str(kubeconfig), "allow": sorted(allow)}
        document["suite"] = {"tester": "pytest", "workers": 2}
        path.write_text(yaml.safe_dump(document))
        return harness.e2e("run", path, *args, timeout_s=PATIENCE_S)

    return run


def as_strangers(running: Running, *allow: str) -> Cluster:
    """Return the facts as the provider ``existing`` finds them out."""
    return replace(running.cluster, features=frozenset({"hollow-nodes"}), allow=frozenset(allow))


def test_administrator_passes(local_cluster: Running) -> None:
    check_permissions(local_cluster.cluster, LEAST)


def test_user_without_rights_is_told_every_missing_one(local_cluster: Running, make_user: MakeUser) -> None:
    cluster = replace(local_cluster.cluster, kubeconfig=make_user("nobody", ()))
    needs = [Need("get", "/metrics"), Need("list", "nodes"), Need("patch", "pods", subresource="status")]

    with pytest.raises(ProviderError) as caught:
        check_permissions(cluster, [*needs, Need("create", "selfsubjectreviews", group="authentication.k8s.io")])

    assert str(caught.value) == (
        f"the user of {cluster.name} may not: get /metrics; list nodes -A; patch pods --subresource=status -A"
    )
    assert caught.value.hint == f"kubectl --kubeconfig {cluster.kubeconfig} auth can-i get /metrics"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("allow", "select"),
    [
        pytest.param((), "not slow", id="by-default"),
        pytest.param(
            ("cluster_scoped", "disruptive", "preempts"), "not disruptive", id="everything", marks=pytest.mark.full
        ),
    ],
)
def test_cases_need_no_more_than_they_declare(
    local_cluster: Running,
    tmp_path: Path,
    make_user: MakeUser,
    run_as: RunAs,
    allow: tuple[str, ...],
    select: str,
) -> None:
    needs = declared(as_strangers(local_cluster, *allow), tmp_path, "-m", select)
    kubeconfig = make_user("exact", needs)

    done = run_as(kubeconfig, "--select", select, allow=allow)

    assert done.code == 0, done.err
    assert int(done.err.partition("SUCCESS: ")[2].split()[0]) > 100  # passed, and not skipped


@pytest.mark.slow
def test_gate_asks_for_the_selected_cases_only(
    local_cluster: Running, tmp_path: Path, make_user: MakeUser, run_as: RunAs, harness: Harness
) -> None:
    needs = declared(as_strangers(local_cluster), tmp_path)
    kubeconfig = make_user("poor", [need for need in needs if need.resource != "deployments"])

    refused = run_as(kubeconfig, "--focus", "Deployment")
    (first,) = harness.builds()
    ran = run_as(kubeconfig, "--focus", "Kubectl (apply|diff)")

    said = "the user of c1 may not: create deployments.apps -A; "
    assert refused.code == 3, refused.err
    assert said in refused.err
    assert not (first / "artifacts" / "junit_01.xml").exists()
    assert ran.code == 0, ran.err
    assert "SUCCESS: 4 passed" in ran.err
