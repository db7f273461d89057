"""Reads a kubetest2 command line: ``kubetest2 DEPLOYER [flags] -- [flags of the tester]``.

Sources: kubernetes-sigs/kubetest2, pkg/app/shim and the testers ginkgo and exec; kubetest2-gce's deployer flags.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from jobs.source import WIDEST, Draft, shown

PROGRAM: Final = "kubetest2"
SWITCHES: Final = frozenset({"up", "down", "build", "rundir-in-artifacts", "legacy-mode", "use-built-binaries"})
SILENT: Final = frozenset({"up", "down", "rundir-in-artifacts", "v"})  # what is said otherwise, or changes no result
MARKER: Final = re.compile(r"(latest|stable)(-\d{1,4}\.\d{1,4})?\.txt")


def read(text: str) -> Draft | None:
    """Return what the first kubetest2 command of a text means, None for text without one."""
    words = _command(text)
    if not words:
        return None
    cut = words.index("--") if "--" in words else len(words)
    deployer = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
    flags, rest = dict(_flags(words[2 if deployer else 1 : cut])), words[cut + 1 :]
    draft = Draft()
    _deployer(deployer, flags, draft)
    _tester(flags.pop("test", ""), rest, draft)
    for name, value in flags.items():
        if reader := READERS.get(name):
            reader(draft, value)
        elif name not in SILENT:
            draft.note(f"--{shown(name, value)}", "no counterpart")
    return draft


def _command(text: str) -> list[str]:
    joined = re.sub(r"\\\r?\n", " ", text)
    for line in joined.splitlines():
        found = re.search(rf"(?:^|[\s;&|/]){PROGRAM}(?:\s|$)", line)
        if found:
            command = line[line.index(PROGRAM, found.start()) :]
            try:
                return shlex.split(command, comments=True)
            except ValueError:
                return command.split()
    return []


def _flags(words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield name and value of ``--name=value``, ``--name value`` and ``--switch``."""
    left = list(words)
    while left:
        word = left.pop(0)
        name, separator, value = word.lstrip("-").partition("=")
        if not word.startswith("-"):
            yield word, ""
        elif separator or name in SWITCHES or not left or left[0].startswith("-"):
            yield name, value if separator else "true"
        else:
            yield name, left.pop(0)


def _deployer(name: str, flags: dict[str, str], draft: Draft) -> None:
    project, zone = flags.pop("gcp-project", ""), flags.pop("gcp-zone", "")
    kubeconfig = flags.pop("kubeconfig", "")
    is_up, is_down = flags.get("up", "false") != "false", flags.get("down", "false") != "false"
    if name == "noop" or not is_up:
        draft.put("provider", {"name": "existing", **({"kubeconfig": kubeconfig} if kubeconfig else {})})
        if name != "noop":
            draft.note(f"{PROGRAM} {name} without --up", "the cluster is there: name its kubeconfig under provider")
        return
    if not is_down:
        draft.put("defaults.keep", "always")
    if name == "gce":
        draft.put("provider", {"name": "gce", "project": project})
        if zone:
            draft.put_zone("--gcp-zone", zone)
        return
    draft.put("provider", {"name": "local"})
    draft.note(f"{PROGRAM} {name}", "no such provider: e2e providers lists those that there are")


def _tester(name: str, words: list[str], draft: Draft) -> None:
    if name == "exec" and words:
        draft.put("suite.tester", "command")
        draft.put("suite.command", words)
        return
    if name != "ginkgo":
        draft.note(f"--test={name} {shlex.join(words)}".strip(), "no counterpart" if name else "the suite is run")
        return
    draft.put("suite.tester", "e2e.test")
    draft.put("suite.preset", WIDEST)
    version = ""
    for flag, value in _flags(words):
        if reader := OF_GINKGO.get(flag):
            reader(draft, value)
        elif flag in ("test-package-version", "test-package-marker"):
            version = value if flag == "test-package-version" or not version else version
        else:
            draft.note(f"-- --{shown(flag, value)}", "no counterpart")
    if version:
        _version(draft, version)


def _version(draft: Draft, text: str) -> None:
    found = MARKER.fullmatch(text)
    channel = {"latest": "ci/latest", "stable": "release/stable"}
    draft.put("kubernetes", channel[found[1]] + (found[2] or "") if found else text)


def _test_args(draft: Draft, text: str) -> None:
    draft.put("suite.flags", text.split())


OF_GINKGO: Final[Mapping[str, Callable[[Draft, str], None]]] = {
    "focus-regex": lambda draft, text: draft.put("suite.focus", text),
    "skip-regex": lambda draft, text: draft.put("suite.skip", text),
    "label-filter": lambda draft, text: draft.put("suite.label_filter", text),
    "parallel": lambda draft, text: draft.put_count("--parallel", "suite.workers", text),
    "flake-attempts": lambda draft, text: draft.put_count("--flake-attempts", "suite.flake_attempts", text),
    "timeout": lambda draft, text: draft.put("defaults.timeouts.test", text),
    "test-args": _test_args,
}
READERS: Final[Mapping[str, Callable[[Draft, str], None]]] = {
    "num-nodes": lambda draft, text: draft.put_count("--num-nodes", "cluster.nodes", text),
    "version": _version,
    "build": lambda draft, _text: draft.note("--build", "give kubernetes: source:DIR"),
    "legacy-mode": lambda draft, text: draft.note(f"--legacy-mode={text}", "there is one mode"),
}
