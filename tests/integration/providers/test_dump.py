from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from providers.api import Api
from providers.contracts import Binaries
from providers.testing import RecordedSteps, make_context
from tests.support.cluster import Running, running_cluster

CANARY = "canary/7d3f+b0e1 c2a9&5"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller", "kwokctl")


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def forms(text: str) -> tuple[bytes, ...]:
    return tuple(form.encode() for form in (text, base64.b64encode(text.encode()).decode(), quote(text, safe="")))


@pytest.fixture
def namespace(local_cluster: Running) -> str:
    with Api(local_cluster.cluster.kubeconfig) as api:
        return str(api.post("/api/v1/namespaces", {"metadata": {"generateName": "dump-"}})["metadata"]["name"])


def test_a_dump_of_a_real_cluster_is_whole(local_cluster: Running, namespace: str, tmp_path: Path) -> None:
    with Api(local_cluster.cluster.kubeconfig) as api:
        reference = {"kind": "Namespace", "name": namespace, "namespace": namespace}
        event = {"metadata": {"name": "seen"}, "involvedObject": reference, "message": "dumped", "type": "Normal"}
        api.post(f"/api/v1/namespaces/{namespace}/events", event)
    steps = RecordedSteps()
    context = make_context(local_cluster.context.folder, local_cluster.context.binaries, steps=steps)
    dest = tmp_path / "dump"

    local_cluster.provider.dump(context, dest)

    metadata = json.loads((dest / "metadata.json").read_text())
    assert metadata["problems"] == metadata["cut"] == []
    assert metadata["logs"] == [f"nodes/c1-control-plane/{name}.log" for name in COMPONENTS]
    assert [path.stem for path in sorted((dest / "nodes/c1-control-plane").iterdir())] == list(COMPONENTS)
    nodes = lines(dest / "resources/core_v1_nodes.jsonl")
    assert [(node["kind"], node["metadata"]["name"]) for node in nodes] == [
        ("Node", name) for name in local_cluster.cluster.nodes
    ]
    assert namespace in {each["metadata"]["name"] for each in lines(dest / "resources/core_v1_namespaces.jsonl")}
    assert {"dumped"} == {
        each["message"] for each in lines(dest / "events.jsonl") if each["metadata"]["namespace"] == namespace
    }
    assert json.loads((dest / "versions.json").read_text())["kubernetes"]["gitVersion"] == local_cluster.cluster.version
    for name, count in metadata["objects"].items():
        assert len(lines(dest / name) if count else []) == count, name


def test_more_objects_than_a_page_are_all_dumped(local_cluster: Running, namespace: str, tmp_path: Path) -> None:
    with Api(local_cluster.cluster.kubeconfig) as api:
        for number in range(501):
            api.post(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": f"n{number}"}})

    local_cluster.provider.dump(
        make_context(local_cluster.context.folder, local_cluster.context.binaries), tmp_path / "dump"
    )

    maps = lines(tmp_path / "dump/resources/core_v1_configmaps.jsonl")
    mine = [each["metadata"]["name"] for each in maps if each["metadata"]["namespace"] == namespace]
    assert {f"n{number}" for number in range(501)} <= set(mine)
    assert len(mine) == len(set(mine))


def test_no_value_of_a_secret_is_in_a_dump(local_cluster: Running, namespace: str, tmp_path: Path) -> None:
    applied = json.dumps(
        {"data": {"password": base64.b64encode(CANARY.encode()).decode()}, "stringData": {"a": CANARY}}
    )
    key = "-----BEGIN PRIVATE KEY-----\nMIIcanary\n-----END PRIVATE KEY-----\n"
    with Api(local_cluster.cluster.kubeconfig) as api:
        secrets = f"/api/v1/namespaces/{namespace}/secrets"
        body = {"metadata": {"name": "canary", "annotations": {APPLIED: applied}}, "stringData": {"password": CANARY}}
        api.post(secrets, body)
        api.post(f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "canary"}, "data": {"key": key}})
        container = {"name": "x", "image": "x", "env": [{"name": "DB_PASSWORD", "value": CANARY}]}
        api.post(
            f"/api/v1/namespaces/{namespace}/pods",
            {"metadata": {"name": "canary"}, "spec": {"containers": [container]}},
        )
    kept: list[str] = []
    context = make_context(local_cluster.context.folder, local_cluster.context.binaries, secrets=kept)

    local_cluster.provider.dump(context, tmp_path / "dump")

    told = [
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for text in (CANARY, "MIIcanary") for form in forms(text))
    ]
    assert told == []
    assert {CANARY, base64.b64encode(CANARY.encode()).decode()} <= set(kept)
    found = [
        each
        for each in lines(tmp_path / "dump/resources/core_v1_secrets.jsonl")
        if each["metadata"]["name"] == "canary"
    ]
    assert [each["size_bytes"] for each in found] == [{"password": len(CANARY)}]


def test_logs_of_a_dead_api_server_are_dumped(binaries: Binaries, tmp_path: Path) -> None:
    with running_cluster(tmp_path / "c1", binaries, nodes=1) as running:
        pids = running.context.folder / "kwok/clusters/c1/pids"
        victim = psutil.Process(int((pids / "kube-apiserver.pid").read_text()))
        victim.kill()
        while victim.is_running() and victim.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)

        running.provider.dump(make_context(running.context.folder, binaries), tmp_path / "dump")

        assert not running.provider.is_up(running.context)
    metadata = json.loads((tmp_path / "dump/metadata.json").read_text())
    assert (tmp_path / "dump/nodes/c1-control-plane/kube-apiserver.log").stat().st_size > 0
    assert [problem["what"] for problem in metadata["problems"]] == ["API objects"]
    assert "does not answer GET /version" in metadata["problems"][0]["error"]
