from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from providers.api import Api, ApiUnreachable
from providers.contracts import Context
from providers.dump import Scope, Source, dump_cluster
from providers.testing import FolderBinaries, RecordedSteps, make_context
from tests.support.fake_api import Answer, fake_api
from tests.unit.providers.hosts.dumping import DumpingNode, part
from upload.errors import NodeUnreachable, ProviderError

VERBS = ["list", "get"]
RUN = "ci-kubernetes-e2e-test-20260101000000"


def resource(name: str, kind: str, *, namespaced: bool = True) -> dict[str, Any]:
    return {"name": name, "kind": kind, "namespaced": namespaced, "verbs": VERBS}


SERVER: dict[str, Answer] = {
    "/version": {"gitVersion": "v1.36.3"},
    "/apis": {"groups": [{"name": "apps", "preferredVersion": {"version": "v1"}, "versions": [{"version": "v1"}]}]},
    "/api/v1": {
        "resources": [
            resource("pods", "Pod"),
            resource("nodes", "Node", namespaced=False),
            resource("events", "Event"),
            resource("secrets", "Secret"),
            resource("componentstatuses", "ComponentStatus", namespaced=False),
        ]
    },
    "/apis/apps/v1": {"resources": [resource("deployments", "Deployment")]},
    "/api/v1/pods": {"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "é\ud800"}}]},
    "/api/v1/namespaces/ns/pods": {"items": [{"metadata": {"name": "mine"}}]},
    "/api/v1/nodes": {"items": [{"metadata": {"name": "n"}}]},
    "/api/v1/events": {"items": [{"message": "hello"}]},
    "/api/v1/secrets": {"items": [{"kind": "Sekret", "data": {"k": "c2VjcmV0LXZhbHVl"}}]},
    "/api/v1/componentstatuses": {"items": [{"metadata": {"name": "never"}}]},
    "/apis/apps/v1/deployments": 403,
}


def context(folder: Path, steps: RecordedSteps | None = None, secrets: list[str] | None = None) -> Context:
    return make_context(folder / "c1", FolderBinaries(folder, "v1.36.3"), steps=steps, secrets=secrets)


def connects(folder: Path, answers: dict[str, Answer]) -> Callable[[], Api]:
    return lambda: fake_api(folder, answers)


def refuses() -> Api:
    raise ApiUnreachable("https://127.0.0.1:1 does not answer")


def tree(folder: Path) -> dict[str, Any]:
    """Return path -> parsed content of everything below a folder, seconds set to 0."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".jsonl":
            found[path.relative_to(folder).as_posix()] = [json.loads(line) for line in text.splitlines()]
        elif path.suffix == ".json":
            found[path.relative_to(folder).as_posix()] = {**json.loads(text)} | (
                {"seconds": 0} if path.name == "metadata.json" else {}
            )
        else:
            found[path.relative_to(folder).as_posix()] = text
    return found


def test_a_dump_holds_objects_events_versions_and_says_what_failed(tmp_path: Path) -> None:
    steps = RecordedSteps()
    secrets: list[str] = []
    log = tmp_path / "kube-apiserver.log"
    log.write_text("started\n")
    logs = {"c1-control-plane/kube-apiserver.log": log, "c1-control-plane/gone.log": tmp_path / "gone.log"}

    dump_cluster(context(tmp_path, steps, secrets), tmp_path / "d", Source(connects(tmp_path, SERVER), logs=logs))

    refusal = "GET /apis/apps/v1/deployments: HTTP 403: status 403"
    assert tree(tmp_path / "d") == {
        "nodes/c1-control-plane/kube-apiserver.log": "started\n",
        "versions.json": {"kubernetes": {"gitVersion": "v1.36.3"}},
        "events.jsonl": [{"apiVersion": "v1", "kind": "Event", "message": "hello"}],
        "resources/core_v1_pods.jsonl": [
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "é?"}},
        ],
        "resources/core_v1_nodes.jsonl": [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}],
        "resources/core_v1_secrets.jsonl": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {}, "type": "", "size_bytes": {"k": 12}}
        ],
        "metadata.json": {
            "cluster": "c1",
            "run": RUN,
            "seconds": 0,
            "logs": ["nodes/c1-control-plane/kube-apiserver.log"],
            "objects": {
                "events.jsonl": 1,
                "resources/apps_v1_deployments.jsonl": 0,
                "resources/core_v1_nodes.jsonl": 1,
                "resources/core_v1_pods.jsonl": 2,
                "resources/core_v1_secrets.jsonl": 1,
            },
            "cut": [],
            "problems": [
                {"what": "nodes/c1-control-plane/gone.log", "error": "No such file or directory"},
                {"what": "resources/apps_v1_deployments.jsonl", "error": refusal},
            ],
        },
    }
    assert secrets == ["c2VjcmV0LXZhbHVl", "secret-value"]
    assert steps.steps == [("Copy logs", ""), ("Dump objects", "")]
    assert steps.notes[-1] == f"not dumped: resources/apps_v1_deployments.jsonl: {refusal}"


def test_logs_are_dumped_when_the_api_is_dead(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    log.write_text("panic\n")

    dump_cluster(context(tmp_path), tmp_path / "d", Source(refuses, logs={"c1-control-plane/etcd.log": log}))

    found = tree(tmp_path / "d")
    assert found["nodes/c1-control-plane/etcd.log"] == "panic\n"
    assert found["metadata.json"]["problems"] == [
        {"what": "API objects", "error": "https://127.0.0.1:1 does not answer"}
    ]


def test_machines_are_asked_whether_the_api_answers_or_not(tmp_path: Path) -> None:
    cut = part(b"kubelet.log", b"end", total=900)
    nodes = (
        DumpingNode("w1", says=[cut, part(b"dmesg.log", b"", code="1")]),
        DumpingNode("w2", failure=NodeUnreachable("w2", "silent", "it does not answer")),
    )
    steps = RecordedSteps()

    dump_cluster(context(tmp_path, steps), tmp_path / "d", Source(refuses, nodes=nodes))

    found = tree(tmp_path / "d")
    assert (found["nodes/w1/kubelet.log"], found["metadata.json"]["logs"]) == ("end", ["nodes/w1/kubelet.log"])
    assert found["metadata.json"]["cut"] == [{"file": "nodes/w1/kubelet.log", "kept_bytes": 3, "total_bytes": 900}]
    assert found["metadata.json"]["problems"] == [
        {"what": "nodes/w1/dmesg.log", "error": "its command ended with code 1"},
        {"what": "nodes/w2/machine", "error": "w2: it does not answer"},
        {"what": "API objects", "error": "https://127.0.0.1:1 does not answer"},
    ]
    assert steps.steps == [("Copy logs", ""), ("Dump machines", ""), ("Dump objects", "")]
    assert steps.notes[1] == "not dumped: nodes/w2/machine: w2: it does not answer"


def test_machines_that_hang_leave_time_for_the_objects(tmp_path: Path) -> None:
    ctx = make_context(tmp_path / "c1", FolderBinaries(tmp_path, "v1.36.3"), seconds=60.0)
    node = DumpingNode("w1")

    dump_cluster(ctx, tmp_path / "d", Source(connects(tmp_path, SERVER), nodes=(node,)))

    (asked,) = node.deadlines
    assert 0 < asked <= 27.0
    assert "events.jsonl" in tree(tmp_path / "d")


def test_a_dump_of_one_run_holds_its_namespaces_and_nodes_only(tmp_path: Path) -> None:
    source = Source(connects(tmp_path, SERVER), scope=lambda _api: Scope(("ns",)))

    dump_cluster(context(tmp_path), tmp_path / "d", source)

    found = tree(tmp_path / "d")
    assert [name for name in found if name.startswith("resources")] == [
        "resources/core_v1_nodes.jsonl",
        "resources/core_v1_pods.jsonl",
    ]
    assert found["resources/core_v1_pods.jsonl"][0]["metadata"]["name"] == "mine"


def test_a_dump_of_no_namespace_still_has_nodes_and_versions(tmp_path: Path) -> None:
    source = Source(connects(tmp_path, SERVER), scope=lambda _api: Scope(()))

    dump_cluster(context(tmp_path), tmp_path / "d", source)

    assert sorted(tree(tmp_path / "d")) == ["metadata.json", "resources/core_v1_nodes.jsonl", "versions.json"]


def test_a_long_log_keeps_its_end_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"0123456789")

    dump_cluster(context(tmp_path), tmp_path / "d", Source(refuses, logs={"n/x.log": log}, log_bytes=4))

    found = tree(tmp_path / "d")
    assert found["nodes/n/x.log"] == "6789"
    assert found["metadata.json"]["cut"] == [{"file": "nodes/n/x.log", "kept_bytes": 4, "total_bytes": 10}]


def test_too_many_objects_are_cut_at_a_whole_line(tmp_path: Path) -> None:
    dump_cluster(context(tmp_path), tmp_path / "d", Source(connects(tmp_path, SERVER), object_bytes=80))

    found = tree(tmp_path / "d")
    assert len(found["resources/core_v1_pods.jsonl"]) == 1
    assert found["metadata.json"]["cut"][0] == {"file": "resources/core_v1_pods.jsonl", "kept_objects": 1}


def test_a_server_that_stops_answering_ends_the_dump_at_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def gone(request: httpx2.Request) -> Answer:
        asked.append(request.url.path)
        return httpx2.ReadTimeout("late")

    answers = {**SERVER, "/api/v1/pods": gone, "/api/v1/nodes": gone}
    dump_cluster(context(tmp_path), tmp_path / "d", Source(lambda: fake_api(tmp_path, answers)))

    assert asked == ["/api/v1/pods"]
    assert [problem["what"] for problem in tree(tmp_path / "d")["metadata.json"]["problems"]] == ["API objects"]


def test_an_expired_deadline_ends_the_dump_with_what_there_is(tmp_path: Path) -> None:
    late = make_context(tmp_path / "c1", FolderBinaries(tmp_path, "v1.36.3"), seconds=0)

    dump_cluster(late, tmp_path / "d", Source(connects(tmp_path, SERVER)))

    assert tree(tmp_path / "d")["metadata.json"]["problems"] == [
        {"what": "API objects", "error": "the test was not done after 0 s"}
    ]


def test_a_destination_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("a file")

    with pytest.raises(ProviderError, match="the dump cannot be written to"):
        dump_cluster(context(tmp_path), tmp_path / "d", Source(refuses))


def test_hostile_kinds_and_nodes_stay_below_the_destination(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("x")
    answers: dict[str, Any] = {
        **SERVER,
        "/api/v1": {"resources": [resource("..%2f..%2fescape", "Pod")]},
        "/apis": {"groups": []},
    }
    source = Source(connects(tmp_path, answers), logs={"../../../node/../x.log": log})

    dump_cluster(context(tmp_path), tmp_path / "deep" / "d", source)

    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["d"]
    assert not [path for path in tmp_path.rglob("*escape*") if tmp_path / "deep" / "d" not in path.parents]
