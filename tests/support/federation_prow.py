"""Writes what prow publishes: pull requests and batches with their aliases, and builds as its uploaders really leave them.

Shapes: started.json names the pull request and its repositories, finished.json has objects in its metadata, reports have the
root ``<testsuites>`` with properties, and ``prowjob.json``, ``podinfo.json`` and ``clone-records.json`` lie beside them. The same
seed and moment give the same objects.
"""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from pathlib import Path

from dashboard_feed.buckets import BucketSpec
from upload.layout import BATCH, DIRECTORY, PULL_LOGS, alias_path, pull_prefix

FIRST_ID = 1_990_000_000_000_000_000  # prow's ids are of 19 digits, from a clock
REPOSITORY = "kubernetes/kubernetes"
NAMES = (
    "[sig-node] Pods should run [Conformance]",
    "[sig-apps] Job should end",
    "[sig-cli] kubectl should diff [Slow]",
)


@dataclass(frozen=True, slots=True)
class ProwBuild:
    """One build. ``pull``: ``ORG_REPO/NUMBER`` or ``batch``; ``folder``: relative to the bucket, ends in ``/``."""

    job: str
    number: str
    pull: str
    folder: str
    is_finished: bool


def write_prow(root: Path, *, now_s: int, builds: int, seed: int = 1) -> tuple[BucketSpec, tuple[ProwBuild, ...]]:
    """Write a bucket of pull requests below ``root``; the newest build of each job still runs."""
    chance = random.Random(f"{seed}/prow")
    written: list[ProwBuild] = []
    for job in ("pull-ci-kubernetes-e2e-gce", "pull-ci-kubernetes-e2e-kind"):
        for index in range(builds):
            pull = "batch" if chance.random() < 0.2 else f"kubernetes_kubernetes/{chance.randint(120_000, 120_009)}"
            number = str(FIRST_ID + index * 4_194_304_000 + len(written))
            folder = f"{pull_prefix(pull)}/{job}/{number}/"
            build = ProwBuild(job, number, pull, folder, is_finished=index < builds - 1)
            _write_build(root, build, now_s - (builds - index) * 1800, chance)
            written.append(build)
        _write(root / DIRECTORY / job / "latest-build.txt", written[-1].number.encode())
    return BucketSpec(f"{(root / PULL_LOGS).as_uri()}/", "pr:", "someone", sequential=False), tuple(written)


def _write_build(root: Path, build: ProwBuild, started_s: int, chance: random.Random) -> None:
    folder, sha = root / build.folder, f"{chance.getrandbits(160):040x}"
    is_batch = build.folder.startswith(f"{BATCH}/")
    pull = "" if is_batch else build.pull.rpartition("/")[2]
    refs = f"master:{sha},{pull or '120001:abc,120002'}:{sha[::-1]}"
    started = {"timestamp": started_s, "pull": pull, "repos": {REPOSITORY: refs}, "repo-version": sha}
    _document(folder / "started.json", started if pull else {k: v for k, v in started.items() if k != "pull"})
    _document(folder / "prowjob.json", {"kind": "ProwJob", "spec": {"type": "batch" if is_batch else "presubmit"}})
    _document(folder / "clone-records.json", [{"refs": {"org": "kubernetes", "repo": "kubernetes"}, "failed": False}])
    _write(root / alias_path(build.job, build.number), f"{(root / build.folder).as_uri()}\n".encode())
    if not build.is_finished:
        return
    failed = [name for name in NAMES if chance.random() < 0.2]
    _write(folder / "artifacts/junit_runner.xml", _report("e2e", ("kubetest2.Up", "kubetest2.Down"), ()))
    report = _report("Kubernetes e2e suite", NAMES, failed)
    is_packed = chance.random() < 0.3  # copied out of a bucket with its compression
    _write(folder / "artifacts/node-1/junit_01.xml", gzip.compress(report, mtime=0) if is_packed else report)
    _write(folder / "build-log.txt", b"I0722 kubetest2 up\n" * 30)
    _document(folder / "podinfo.json", {"pod": {"metadata": {"name": build.number}}, "events": []})
    verdict = {"passed": not failed, "result": "FAILURE" if failed else "SUCCESS", "revision": f"v1.36.3+{sha[:14]}"}
    metadata = {
        "repos": {REPOSITORY: refs},
        "infra-commit": sha[:9],
        "pod": build.number,
        "job-version": verdict["revision"],
    }
    _document(folder / "finished.json", {"timestamp": started_s + 900, **verdict, "metadata": metadata})


def _report(suite: str, names: tuple[str, ...], failed: tuple[str, ...] | list[str]) -> bytes:
    failure = '<failure message="" type="failed">not ready</failure>'
    cases = "".join(
        f'<testcase name="{name}" classname="{suite}" time="1.5">{failure if name in failed else ""}</testcase>'
        for name in names
    )
    properties = '<properties><property name="SuiteSucceeded" value="true"/></properties>'
    return f'<testsuites tests="{len(names)}"><testsuite name="{suite}">{properties}{cases}</testsuite></testsuites>'.encode()


def _document(path: Path, value: object) -> None:
    _write(path, json.dumps(value).encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
