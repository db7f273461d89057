"""Writes a federation of buckets as it could really be found: parties, jobs, flakes, outages, broken and hostile builds.

The same seed, moment and size give the same objects. What is sound goes through ``upload.layout`` and ``upload.store``;
what no publisher of ours would write goes past them, straight into the folder. To look at one:

    python -m tests.support.federation DIR [SEED]
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from dashboard_feed.buckets import BucketSpec
from upload.documents import Finished, Started, render_finished, render_latest, render_started
from upload.junit_render import STEP_CLASS, render_one, render_shards, step_cases
from upload.layout import RUNNER_JUNIT, build_paths, content_type
from upload.model import BuildRef, Case, Put, Status, StepRecord
from upload.store import Store, open_store

HOUR_S = 3600
PREFIX = "logs"

TITLES = {
    "api-machinery": (
        "Watchers should observe add, update and delete events on configmaps [Conformance]",
        "Watchers should restart from the resource version of the last event [Conformance]",
        "Chunked lists should return a consistent snapshot while objects are written [Conformance]",
        "Chunked lists should say that an expired continue token is gone [Conformance]",
        "Server-side apply should report a conflict with the other manager's name",
        "Server-side apply should hand a field over when forced",
        "CustomResourceDefinition should validate, default and prune fields [Conformance]",
        "CustomResourceDefinition should serve the status subresource [Conformance]",
        "Garbage collector should orphan pods when asked to [Conformance]",
        "Garbage collector should delete dependents in the foreground [Conformance]",
        "ResourceQuota should count services and refuse the next one [Conformance]",
        "LimitRange should set defaults for containers [Conformance]",
        "ValidatingAdmissionPolicy should refuse what its expression refuses",
        "Namespaces should be emptied before they are gone [Conformance] [Serial]",
    ),
    "apps": (
        "Deployment should roll over to a new template [Conformance]",
        "Deployment should roll back to an earlier revision",
        "Deployment should not progress while paused",
        "Deployment should scale through its subresource [Conformance]",
        "ReplicaSet should adopt matching pods and release those whose labels change [Conformance]",
        "StatefulSet should start its pods in order and stop them in reverse [Conformance]",
        "StatefulSet should update only pods above the partition [Conformance]",
        "DaemonSet should run on every node [Conformance] [Serial]",
        "DaemonSet should run on selected nodes only [Conformance] [Serial]",
        "Job should complete when enough pods have succeeded [Conformance]",
        "Job should fail when its backoff limit is reached [Conformance]",
        "Job should be removed after its time to live",
        "CronJob should not start jobs while suspended [Conformance] [Slow]",
        "PodDisruptionBudget should refuse an eviction that breaks it [Conformance]",
    ),
    "auth": (
        "RBAC should let a role do what it lists and no more [Conformance]",
        "ServiceAccount tokens should be bound to their audience",
        "SubjectAccessReview should answer for another user [Conformance]",
        "Impersonation should act with the other user's rights",
    ),
    "cli": (
        "kubectl apply should change only what changed in the file [Conformance]",
        "kubectl diff should say what apply would do [Conformance]",
        "kubectl wait should time out with the condition it waited for",
    ),
    "instrumentation": (
        "Events should be counted in a series",
        "Metrics of the API server should be served to who may read them",
    ),
    "network": (
        "Services should get an address of the cluster's range [Conformance]",
        "Services should keep their node port when they are updated [Conformance]",
        "EndpointSlices should follow the readiness of pods [Conformance]",
        "Ingress should support its API operations [Conformance]",
        "NetworkPolicy should support its API operations",
    ),
    "node": (
        "Lease of a node should be renewed [Conformance]",
        "Node should be tainted when it stops reporting [Disruptive]",
    ),
    "scheduling": (
        "Scheduler should not place a pod that asks for more than any node has [Conformance] [Serial]",
        "Scheduler should respect required node affinity [Conformance]",
        "Scheduler should respect taints and tolerations [Conformance]",
        "Scheduler should spread pods over zones",
        "Scheduler should preempt pods of lower priority [Conformance] [Serial]",
        "Scheduling gates should hold a pod until they are removed",
    ),
}
NAMES = tuple(f"[sig-{sig}] {title}" for sig, titles in TITLES.items() for title in titles)

FAILURE = """e2e/suite/{sig}/test_{word}.py:{line}: in test_{word}
    eventually(lambda: ready(client, name), within_s=120, what="{what}")
e2e.plugin.waiting.NotYet: {what}: not after 120 s; last seen:
    spec.replicas=3 status.readyReplicas=2 status.updatedReplicas=3
    conditions: Progressing=True (ReplicaSetUpdated), Available=False (MinimumReplicasUnavailable)
  newest events of namespace e2e-{word}-7f2c1:
    Warning  FailedScheduling  0/3 nodes are available: 3 Insufficient cpu
    Normal   ScalingReplicaSet  Scaled up replica set {word}-6b8d to 3
"""


@dataclass(frozen=True, slots=True)
class JobPlan:
    """How one job behaves. Indexes count builds from the newest one, 0."""

    name: str
    provider: str
    version: str = "v1.36.3"
    every_s: int = 12 * HOUR_S
    newest_age_s: int = 40 * 60
    broken: Mapping[int, int] = field(default_factory=dict)  # index of a name → it fails in so many newest builds
    flake_rate: float = 0.004
    outages: tuple[int, ...] = ()  # builds whose Up failed
    aborted: tuple[int, ...] = ()
    running: bool = False


PARTIES: tuple[tuple[str, str, tuple[JobPlan, ...]], ...] = (
    (
        "example:",
        "your-github-name",
        (
            JobPlan("ci-kubernetes-e2e-local", "local", newest_age_s=6 * 60, every_s=3 * HOUR_S),
            JobPlan("ci-kubernetes-e2e-gce-ubuntu", "gce", broken={15: 5, 22: 2, 14: 1}, flake_rate=0.01),
            JobPlan("ci-kubernetes-e2e-azure-ubuntu", "azure", outages=(0, 1), newest_age_s=3 * HOUR_S),
        ),
    ),
    (
        "kopeio:",
        "justinsb",
        (
            JobPlan("ci-kubernetes-e2e-aws", "aws", version="v1.36.2", running=True, aborted=(2,)),
            JobPlan("ci-kubernetes-e2e-aws-upgrade", "aws", version="v1.35.4", newest_age_s=5 * 24 * HOUR_S),
        ),
    ),
)


def write_federation(root: Path, *, seed: int = 1, now_s: int, builds: int = 16) -> tuple[BucketSpec, ...]:
    """Write every bucket below ``root`` and return their entries: the sound parties, then a broken and a hostile one."""
    specs = []
    for prefix, contact, plans in PARTIES:
        bucket = root / prefix.rstrip(":")
        for plan in plans:
            write_job(bucket, plan, seed=seed, now_s=now_s, builds=builds)
        specs.append(bucket_spec(bucket, prefix, contact))
    write_broken(root / "broken", now_s)
    write_hostile(root / "hostile", now_s)
    specs.append(bucket_spec(root / "broken", "broken:", "someone"))
    specs.append(bucket_spec(root / "hostile", "hostile:", ""))
    return tuple(specs)


def bucket_spec(bucket: Path, prefix: str, contact: str) -> BucketSpec:
    return BucketSpec(f"{(bucket / PREFIX).as_uri()}/", prefix, contact, sequential=False)


def write_job(bucket: Path, plan: JobPlan, *, seed: int, now_s: int, builds: int) -> None:
    store = open_store(str(bucket))
    starts = [now_s - plan.newest_age_s - index * plan.every_s for index in range(builds)]
    for index in reversed(range(builds)):
        chance = random.Random(f"{seed}/{bucket.name}/{plan.name}/{index}")
        write_build(store, plan, index, starts[index], chance)
    latest = build_paths(BuildRef(PREFIX, plan.name, number_of(starts[0]))).latest
    put(store, latest, render_latest(number_of(starts[0])))


def number_of(start_s: int) -> str:
    return f"{datetime.fromtimestamp(start_s, UTC):%Y%m%d%H%M%S}"


def write_build(store: Store, plan: JobPlan, index: int, start_s: int, chance: random.Random) -> None:
    paths = build_paths(BuildRef(PREFIX, plan.name, number_of(start_s)))
    commit = hashlib.sha256(f"{plan.version}{index // 4}".encode()).hexdigest()[:14]
    version = f"{plan.version}+{commit}"
    put(store, paths.started, render_started(Started(start_s, "jenkins-2", version, repo_commit=commit)))
    if plan.running and index == 0:
        return
    up_failed = index in plan.outages
    cases = () if up_failed else cases_of(plan, index, chance)
    if index in plan.aborted:
        cases = cases[: len(cases) // 3]
    steps = steps_of(start_s, cases, "machine e2e-2: ssh: no route to host after 300 s" if up_failed else "")
    artifacts = {RUNNER_JUNIT: render_one(published(steps)), **render_shards(cases)} | dump_of(plan, version)
    for case in cases:
        if case.status is Status.FAILED:
            artifacts |= evidence_of(plan, case)
    for name, content in artifacts.items():
        put(store, paths.artifacts + name, content)
    put(store, paths.log, log_of(plan, cases, up_failed=up_failed))
    passed = not up_failed and index not in plan.aborted and all(c.status is not Status.FAILED for c in final(cases))
    result = "ABORTED" if index in plan.aborted else "SUCCESS" if passed else "FAILURE"
    end_s = start_s + round(sum(step.seconds for step in steps if ": " not in step.name)) + 1
    metadata = (
        ("job-url", f"https://jenkins.example.com/job/{plan.name}/{index + 100}/"),
        ("provider", plan.provider),
        ("run", f"{plan.name}-{number_of(start_s)}"),
        ("version-source", "release/stable-1.36"),
    )
    put(store, paths.finished, render_finished(Finished(end_s, passed, result, version, metadata=metadata)))


def cases_of(plan: JobPlan, index: int, chance: random.Random) -> tuple[Case, ...]:
    cases: list[Case] = []
    for position, name in enumerate(NAMES):
        seconds = round(chance.lognormvariate(0.6, 0.9), 3)
        failed = failure(name, seconds + 120)
        passed = Case(name, Status.PASSED, seconds, classname="e2e.suite")
        if "[Disruptive]" in name:
            cases.append(Case(name, Status.SKIPPED, 0.0, classname="e2e.suite", text="not selected"))
        elif index < plan.broken.get(position, 0):
            cases.append(failed)
        elif chance.random() < plan.flake_rate:
            cases += [failed] if chance.random() < 0.3 else [failed, passed]
        else:
            cases.append(passed)
    return tuple(cases)


def failure(name: str, seconds: float) -> Case:
    match = re.match(r"\[sig-([a-z-]+)\] ([A-Za-z]+)", name)
    assert match
    sig, word = match[1].replace("-", "_"), match[2].lower()
    what = re.sub(r"\s*\[.*", "", name.partition("] ")[2])
    text = FAILURE.format(sig=sig, word=word, line=40 + len(name) % 60, what=what)
    return Case(name, Status.FAILED, round(seconds, 3), classname="e2e.suite", text=text)


def final(cases: tuple[Case, ...]) -> list[Case]:
    return list({case.name: case for case in cases}.values())


def steps_of(start_s: int, cases: tuple[Case, ...], up_failure: str) -> list[StepRecord]:
    test_s = round(sum(case.seconds for case in cases) / 4, 3)
    failed = any(case.status is Status.FAILED for case in final(cases))
    steps = [
        StepRecord("Up: Make machines", start_s, 61.3),
        StepRecord("Up: Reach machines", start_s, 300.0 if up_failure else 32.5, failure=up_failure),
        StepRecord("Up", start_s, 361.4 if up_failure else 94.2, failure=up_failure and "Reach machines failed"),
    ]
    if cases:
        steps.append(StepRecord("Test", start_s + 94, test_s, failure="cases failed" if failed else ""))
    return [*steps, StepRecord("Dump", start_s, 4.7), StepRecord("Down", start_s, 21.3)]


def published(steps: list[StepRecord]) -> list[Case]:
    """Name steps as the rewriting of every JUnit file does: a name that begins with no ``[`` gets its class."""
    return [replace(case, name=f"{STEP_CLASS}.{case.name}") for case in step_cases(steps)]


def dump_of(plan: JobPlan, version: str) -> dict[str, bytes]:
    lines = b"".join(b"I1122 17:08:%02d controller started\n" % second for second in range(40))
    node = "cluster/c1/nodes/e2e-control-plane-1"
    return {
        "cluster/c1/metadata.json": json.dumps({"provider": plan.provider, "version": version}).encode(),
        "cluster/c1/events.jsonl": b'{"reason":"Scheduled"}\n' * 30,
        "cluster/c1/resources/pods.jsonl": b'{"kind":"Pod"}\n' * 200,
        f"{node}/kube-apiserver.log": lines * 30,
        f"{node}/kube-scheduler.log": lines,
        f"{node}/kubelet.log": lines * 9,
    }


def evidence_of(plan: JobPlan, case: Case) -> dict[str, bytes]:
    slug = re.sub(r"[^a-z0-9]+", "-", case.name.lower()).strip("-")[:60].rstrip("-")
    folder = f"failures/{slug}-{hashlib.sha256(case.name.encode()).hexdigest()[:8]}"
    return {
        f"{folder}/case.txt": f"{case.name}\n\n{case.text}\nagain: e2e run {plan.name} --focus …\n".encode(),
        f"{folder}/events.jsonl": b'{"reason":"FailedScheduling"}\n',
        f"{folder}/objects.jsonl": b'{"kind":"Pod"}\n' * 7,
    }


def log_of(plan: JobPlan, cases: tuple[Case, ...], *, up_failed: bool) -> bytes:
    lines = [f"results: gs://{plan.provider}-e2e/logs/{plan.name}", "\x1b[1mUp\x1b[0m 3 machines"]
    if up_failed:
        lines += [f"ssh e2e-2: try {n}: no route to host" for n in range(1, 9)]
        lines.append("\x1b[31merror\x1b[0m Up on e2e-2: ssh: no route to host after 300 s")
    lines += [f"{case.status.value:8} {case.seconds:8.1f} s  {case.name}" for case in cases]
    return ("\n".join(lines) + "\n").encode()


def put(store: Store, path: str, content: bytes) -> None:
    store.put(Put(path, content, content_type(path)))


# What no publisher of ours writes.

BROKEN: Mapping[str, Mapping[str, bytes]] = {
    "1001": {"started.json": b'{"timestamp": "1795359926"}', "finished.json": b'{"timestamp": 1.5e9, "passed": "yes"}'},
    "1002": {"finished.json": b'{"timestamp": 1795'},
    "1003": {"started.json": b"[1, 2]", "finished.json": b'"done"'},
    "1004": {"started.json": b'{"timestamp": true, "node": 7}', "finished.json": b'{"timestamp": -4, "result": ["x"]}'},
    "1005": {"started.json": b'{"timestamp": 1e400}', "finished.json": b'{"metadata": [1], "result": "SUCCESS"}'},
    "1006": {"started.json": b"[" * 100_000, "finished.json": b'{"timestamp": %s}' % (b"9" * 6000)},
    "1007": {"started.json": b"\xff\xfe\x00", "finished.json": b"\x00" * 50},
    "1008": {"artifacts/junit_01.xml": b"", "artifacts/junit_02.xml": b"<testsuite><testcase name='cut' time='1'"},
    "1009": {"artifacts/junit_01.xml": b"<html><body>404</body></html>", "build-log.txt": b"\x1b[31mno\x00 \xff\n" * 9},
    "not-a-number": {"started.json": b'{"timestamp": 1795359926}'},
    "00000000000000000000000000000001010": {"started.json": b"{}", "finished.json": b"{}"},
}


def write_broken(bucket: Path, now_s: int) -> None:
    job = bucket / PREFIX / "ci-kubernetes-e2e-broken"
    for number, objects in BROKEN.items():
        for name, content in objects.items():
            write(job / number / name, content)
    times = {
        "started.json": {"timestamp": now_s - 900},
        "finished.json": {"timestamp": now_s - 60, "result": "FAILURE"},
    }
    for name, document in times.items():
        write(job / "1011" / name, json.dumps(document).encode())
    foreign = (
        '<testsuites><testsuite name="Kubernetes e2e suite"><properties><property name="a" value="b"/></properties>'
        '<testcase name="[sig-node] Pods should start" classname="x" time="1,000.5"/>'
        '<testcase name="[sig-node] Pods should stop"><error message="no &lt;answer&gt;">trace</error></testcase>'
        '<testcase name="" time=""/></testsuite></testsuites>'
    )
    write(job / "1011" / "artifacts/junit_01.xml", foreign.encode())
    write(bucket / PREFIX / "ci-kubernetes-e2e-empty" / "latest-build.txt", b"12\n")
    write(bucket / PREFIX / "stray.txt", b"no job\n")


MARKUP = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\"'`{{7*7}}${7*7}</td>"
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b']><testsuite><testcase name="&j;" time="1"/></testsuite>'
)


def write_hostile(bucket: Path, now_s: int) -> None:
    job = bucket / PREFIX / "ci-kubernetes-<img src=x onerror=alert(1)>"
    metadata = {
        MARKUP: MARKUP,
        "__proto__": "polluted",
        "link": "javascript:window.pwned=1",
        "upper": "JaVaScRiPt:window.pwned=1",
        "data": "data:text/html,<script>window.pwned=1</script>",
        "user": "https://kubernetes.io@evil.example/",
        "good": "https://jenkins.example.com/job/1/?a=1&b=<2>",
        "fine": "https://jenkins.example.com/job/1/?a=1&b=2",
        "bidi": "abc\u202egpj.exe",
        "surrogate": "\ud800",
    }
    started = {"timestamp": now_s - 500, "version": MARKUP, "node": MARKUP}
    finished = {"timestamp": now_s - 400, "passed": False, "result": MARKUP, "version": MARKUP, "metadata": metadata}
    escaped = MARKUP.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    cases = (
        f'<testcase name="{escaped}" classname="x" time="1"><failure>{escaped}</failure></testcase>'
        '<testcase name="__proto__" time="1"><failure>]]&gt;--&gt;&lt;/pre&gt;&lt;/script&gt;</failure></testcase>'
        '<testcase name="constructor" time="1"/><testcase name="javascript:window.pwned=1" time="NaN"/>'
        '<testcase name="\u202egnp.egami \u200b\u2066x" time="1e308"><failure>\u2028\u2029</failure></testcase>'
        f'<testcase name="{"very long " * 400}" time="-5"><failure>{"x" * 100_000}</failure></testcase>'
    )
    build = job / "77"
    write(build / "started.json", json.dumps(started).encode())
    write(build / "finished.json", json.dumps(finished).encode())
    write(build / "artifacts" / "junit_01.xml", f"<testsuite>{cases}</testsuite>".encode())
    write(build / "artifacts" / "junit_bomb.xml", BOMB)
    write(build / "artifacts" / "<b>x</b> ?#%2e%2e:.txt", b"x")
    write(build / "artifacts" / "javascript:alert(1)", b"x")
    write(build / "build-log.txt", (MARKUP + "\n\x1b]8;;http://evil.example\x07link\x1b]8;;\x07\n").encode() * 5)
    write(job / "<svg onload=alert(1)>" / "started.json", b'{"timestamp": 1795359926}')
    write(job / "index" / "finished.json", b'{"timestamp": 1795359926, "passed": true}')
    write(bucket / PREFIX / ("ci-kubernetes-" + "long" * 50) / "1" / "finished.json", b"{}")


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def main(arguments: list[str]) -> None:
    """Write a federation, its buckets.yaml beside it."""
    root, seed = Path(arguments[0]).absolute(), int(arguments[1]) if len(arguments) > 1 else 1
    specs = write_federation(root, seed=seed, now_s=int(time.time()))
    text = "".join(f'{s.uri}:\n  prefix: "{s.prefix}"\n  contact: "{s.contact}"\n  sequential: false\n' for s in specs)
    (root / "buckets.yaml").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
