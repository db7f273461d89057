"""The plugin's fixtures against a real control plane: namespaces, evidence, what is removed and what is reported as left."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from e2e.plugin.titles import title_hash
from providers.api import Api
from providers.contracts import RUN_LABEL
from tests.support.cluster import Running

ROOT = Path(__file__).parents[3]
PATIENCE_S = 120.0
CANARY = "canary-0123456789"

CASES = f"""
import pytest
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.models.rbac_v1 import PolicyRule
from lightkube.resources.core_v1 import ConfigMap, Namespace, Secret
from lightkube.resources.rbac_authorization_v1 import ClusterRole

pytestmark = pytest.mark.sig("testing")

def test_pass(client, namespace, make_namespace, create_global, eventually, kubectl, nodes, images, run):
    '''Fixtures should work.'''
    other = make_namespace(dict(colour="red"))
    create_global(ClusterRole(metadata=ObjectMeta(name=namespace), rules=[]))
    labels = client.get(Namespace, other).metadata.labels
    assert (labels["colour"], labels["{RUN_LABEL}"]) == ("red", run)
    assert client.get(ClusterRole, namespace).metadata.labels == {{"{RUN_LABEL}": run}}
    kubectl("create", "configmap", "made", "-n", namespace)
    assert eventually(lambda: client.get(ConfigMap, "made", namespace=namespace)).metadata.name == "made"
    assert len(nodes) == 3 and images.pause

def test_fail(client, namespace):
    '''Case should fail.'''
    client.create(Secret(metadata=ObjectMeta(name="s"), stringData={{"password": "{CANARY}"}}), namespace=namespace)
    client.create(ConfigMap(metadata=ObjectMeta(name="c", annotations={{"copy": "none"}})), namespace=namespace)
    assert False, "as intended"

def test_hold(client, namespace, run):
    '''Case should leave something behind.'''
    held = ObjectMeta(name="held", finalizers=["e2e.example.com/hold"])
    client.create(ConfigMap(metadata=held), namespace=namespace)
    client.create(ClusterRole(metadata=ObjectMeta(name=namespace, labels={{"{RUN_LABEL}": run}}), rules=[]))
"""


def run_of(home: Path) -> str:
    """Return a run's name that no other test of the shared cluster has."""
    return f"ci-{title_hash(str(home))}-20260102030405"


def run_cases(home: Path, running: Running, *args: str) -> tuple[int, str, list[dict[str, Any]]]:
    """Run the cases that ``args`` select; return code, output and events."""
    (home / "pytest.ini").write_text("[pytest]\naddopts = --disable-plugin-autoload -p xdist -p e2e.plugin\n")
    (home / "test_cases.py").write_text(CASES)
    (home / "c1.json").write_text(json.dumps(running.cluster.to_json()))
    argv = [
        *(sys.executable, "-m", "pytest", str(home / "test_cases.py"), "-c", str(home / "pytest.ini"), "-q"),
        *("-p", "no:cacheprovider", "--e2e-cluster", str(home / "c1.json"), "--e2e-run", run_of(home)),
        *("--e2e-evidence", str(home / "failures"), "--e2e-events", str(home / "events.jsonl")),
        *("--e2e-secrets", str(home / "secrets.jsonl"), *args),
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    events = [json.loads(line) for line in (home / "events.jsonl").read_text().splitlines()]
    return done.returncode, done.stdout + done.stderr, events


def of_the_run(running: Running, home: Path, path: str) -> dict[str, bool]:
    """Return name -> "is being removed" of the run's objects."""
    with Api(running.cluster.kubeconfig) as api:
        items = api.get(path, {"labelSelector": f"{RUN_LABEL}={run_of(home)}"})["items"]
    return {item["metadata"]["name"]: "deletionTimestamp" in item["metadata"] for item in items}


def test_fixtures_leave_nothing(tmp_path: Path, local_cluster: Running) -> None:
    code, output, events = run_cases(tmp_path, local_cluster, "--e2e-focus", "Fixtures")

    assert code == 0, output
    assert [event for event in events if event["event"] == "leftover"] == []
    assert of_the_run(local_cluster, tmp_path, "/api/v1/namespaces") == {}
    assert of_the_run(local_cluster, tmp_path, "/apis/rbac.authorization.k8s.io/v1/clusterroles") == {}


def test_failed_case_leaves_its_namespace_as_evidence_without_secrets(tmp_path: Path, local_cluster: Running) -> None:
    code, output, _ = run_cases(tmp_path, local_cluster, "--e2e-focus", "should fail", "--e2e-gone-within", "0")
    (folder,) = (tmp_path / "failures").iterdir()
    objects = [json.loads(line) for line in (folder / "objects.jsonl").read_text().splitlines()]
    names = {(obj["kind"], obj["metadata"]["name"]) for obj in objects}
    published = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    secrets = [json.loads(line) for line in (tmp_path / "secrets.jsonl").read_text().splitlines()]

    assert code == 1, output
    assert {("ConfigMap", "c"), ("Secret", "s"), ("ServiceAccount", "default")} <= names
    assert [obj["size_bytes"] for obj in objects if obj["kind"] == "Secret"] == [{"password": len(CANARY)}]
    assert "as intended" in (folder / "case.txt").read_text()
    assert (CANARY in published, base64.b64encode(CANARY.encode()).decode() in published) == (False, False)
    assert CANARY in secrets


def test_what_is_left_is_named(tmp_path: Path, local_cluster: Running) -> None:
    code, output, events = run_cases(
        tmp_path, local_cluster, "--e2e-focus", "leave something", "--e2e-gone-within", "8"
    )
    left = sorted((event["kind"], event["name"]) for event in events if event["event"] == "leftover")
    names = {name for _, name in left}
    try:
        assert code == 0, output
        assert [kind for kind, _ in left] == ["ClusterRole", "Namespace"]
        assert len(names) == 1
        assert f"left over: Namespace {names.pop()}" in output
    finally:
        free(local_cluster, tmp_path)


@pytest.mark.parametrize(
    ("args", "going"),
    [([], [True]), (["--e2e-remove", "each"], [True]), (["--e2e-remove", "never"], [False])],
    ids=["by-default", "after-each", "never"],
)
def test_namespaces_are_removed_as_it_is_asked_for(
    tmp_path: Path, local_cluster: Running, args: list[str], going: list[bool]
) -> None:
    _, output, events = run_cases(
        tmp_path, local_cluster, "--e2e-focus", "should fail", "--e2e-gone-within", "0", *args
    )
    found = of_the_run(local_cluster, tmp_path, "/api/v1/namespaces")
    free(local_cluster, tmp_path)

    assert list(found.values()) == going, output
    assert [event for event in events if event["event"] == "leftover"] == []


def free(running: Running, home: Path) -> None:
    """Remove what a test left on purpose."""
    with Api(running.cluster.kubeconfig) as api:
        for role in of_the_run(running, home, "/apis/rbac.authorization.k8s.io/v1/clusterroles"):
            api.delete(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}")
        for space in of_the_run(running, home, "/api/v1/namespaces"):
            for item in api.get(f"/api/v1/namespaces/{space}/configmaps")["items"]:
                path = f"/api/v1/namespaces/{space}/configmaps/{item['metadata']['name']}"
                if item["metadata"].pop("finalizers", None):
                    api.put(path, {**item, "apiVersion": "v1", "kind": "ConfigMap"})
            api.delete(f"/api/v1/namespaces/{space}")
