"""Reads a Jenkins job of 2016: the environment that ``e2e-runner.sh`` took, as a shell exports it or a job's properties say.

Sources: consumers.md section 8; kubernetes/test-infra, jenkins/e2e-image/e2e-runner.sh and hack/ginkgo-e2e.sh of then.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Final

from jobs.source import WIDEST, Draft, shown

ASSIGNMENT: Final = re.compile(r"^\s*(?:-\s+)?(?:export\s+)?([A-Z][A-Z0-9_]{1,80})=(.*)$")
KNOWN: Final = frozenset({"E2E_UP", "E2E_TEST", "E2E_DOWN", "GINKGO_TEST_ARGS", "JENKINS_PUBLISHED_VERSION"})
NODES_IN_PARALLEL: Final = 25  # ginkgo-e2e.sh, with GINKGO_PARALLEL=y alone

# what every run does by itself, or Jenkins says
GIVEN: Final = {
    "WORKSPACE": "given by Jenkins",
    "BUILD_NUMBER": "given by Jenkins; a build's id is its time",
    "JENKINS_GCS_LATEST_PATH": "latest-build.txt lies beside the builds",
    "E2E_CLEAN_START": "a run makes a cluster of its own",
    "E2E_NAME": "a cluster is named after its run",
    "E2E_PUBLISH_PATH": "nothing but results is published",
    "E2E_OPT": "kubetest's own options",
    "JENKINS_USE_LOCAL_BINARIES": "give kubernetes: source:DIR or file://DIR",
    "MASTER_SIZE": "control planes and nodes have the same machine types",
}


def read(text: str) -> Draft | None:
    """Return what an environment means, None for text that is none."""
    found = _variables(text)
    if not KNOWN & found.keys():
        return None
    draft = Draft()
    draft.values["job"] = found.pop("JOB_NAME", "")
    _provider(found, draft)
    _steps(found, draft)
    for name, value in found.items():
        if reader := READERS.get(name):
            reader(draft, value)
        else:
            draft.note(shown(name, value), GIVEN.get(name, "no counterpart"))
    return draft


def _variables(text: str) -> dict[str, str]:
    found = {}
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        if match := ASSIGNMENT.match(line):
            found[match[1]] = _value(match[2].strip())
    return found


def _value(text: str) -> str:
    """Return a value without its quotes. In a job's properties there are none, and backslashes stand for themselves."""
    if text[:1] not in ("'", '"'):
        return text
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return text.strip("'\"")
    return words[0] if words else ""


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "y", "yes", "1")


def _provider(found: dict[str, str], draft: Draft) -> None:
    name = found.pop("KUBERNETES_PROVIDER", "gce" if "PROJECT" in found else "local")
    project = found.pop("PROJECT", "")
    zones = [(key, found.pop(key)) for key in ("KUBE_GCE_ZONE", "ZONE") if key in found]
    size = found.pop("NODE_SIZE", "")
    if not _is_true(found.get("E2E_UP", "true")):
        draft.put("provider", {"name": "existing"})
        draft.note(f"E2E_UP={found['E2E_UP']}", "the cluster is there: name its kubeconfig under provider")
        return
    if name == "gce":
        draft.put("provider.name", "gce")
        draft.put("provider.project", project)
        for key, zone in zones[:1]:
            draft.put_zone(key, zone)
        if size:
            draft.put("provider.machine_types", [size])
        return
    draft.put("provider", {"name": "local"})
    if name != "local":
        draft.note(f"KUBERNETES_PROVIDER={name}", "no such provider: e2e providers lists those that there are")


def _steps(found: dict[str, str], draft: Draft) -> None:
    found.pop("E2E_UP", None)
    test, down = found.pop("E2E_TEST", "true"), found.pop("E2E_DOWN", "true")
    if not _is_true(test):
        draft.note(f"E2E_TEST={test}", "a run tests; e2e up only brings a cluster up")
    if not _is_true(down):
        draft.put("defaults.keep", "always")


def _ginkgo(draft: Draft, text: str) -> None:
    draft.put("suite.tester", "e2e.test")
    draft.put("suite.preset", WIDEST)
    try:
        words = shlex.split(text.replace("\\", "\\\\"))
    except ValueError:
        words = text.split()
    flags = []
    for word in words:
        name, _, value = word.lstrip("-").partition("=")
        if name in ("ginkgo.focus", "focus", "ginkgo.skip", "skip"):
            draft.put(f"suite.{name.removeprefix('ginkgo.')}", value)
        elif word.startswith("--") and not name.startswith(("ginkgo.", "test.")):
            flags.append(word)
        else:
            draft.note(f"GINKGO_TEST_ARGS {word}", "no counterpart")
    if "Disruptive" in draft.values["suite"].get("focus", ""):
        draft.note("[Disruptive]", "no preset runs what is disruptive")
    if flags:
        draft.put("suite.flags", flags)


def _parallel(draft: Draft, text: str) -> None:
    draft.put("suite.workers", NODES_IN_PARALLEL if _is_true(text) else 1)


def _version(draft: Draft, text: str) -> None:
    draft.put("kubernetes", text)


def _timeout(draft: Draft, text: str) -> None:
    """Set how long the suite may take, with as much more as a party's other steps take by default."""
    found = re.fullmatch(r"(\d{1,5})([smh]?)", text)
    seconds = int(found[1]) * {"s": 1, "m": 60, "h": 3600, "": 1}[found[2]] if found else 0
    if not seconds:
        draft.note(f"KUBEKINS_TIMEOUT={text}", "is no time")
        return
    minutes = -(-seconds // 60)
    draft.put("defaults.timeouts.test", f"{minutes}m")
    draft.put("defaults.timeouts.total", f"{minutes + 120}m")


def _leak(draft: Draft, text: str) -> None:
    if not _is_true(text):
        draft.note(f"FAIL_ON_GCP_RESOURCE_LEAK={text}", "what a run leaves behind always fails it")


READERS: Final[Mapping[str, Callable[[Draft, str], None]]] = {
    "GINKGO_TEST_ARGS": _ginkgo,
    "GINKGO_PARALLEL": _parallel,
    "GINKGO_PARALLEL_NODES": lambda draft, text: draft.put_count("GINKGO_PARALLEL_NODES", "suite.workers", text),
    "GINKGO_TOLERATE_FLAKES": lambda draft, text: draft.put("suite.flake_attempts", 2 if _is_true(text) else 1),
    "JENKINS_PUBLISHED_VERSION": _version,
    "JENKINS_GCS_LOGS_PATH": lambda draft, text: draft.put_store("JENKINS_GCS_LOGS_PATH", text),
    "NUM_NODES": lambda draft, text: draft.put_count("NUM_NODES", "cluster.nodes", text),
    "NUM_MINIONS": lambda draft, text: draft.put_count("NUM_MINIONS", "cluster.nodes", text),
    "KUBEKINS_TIMEOUT": _timeout,
    "FAIL_ON_GCP_RESOURCE_LEAK": _leak,
}
