"""Pin the Go modules of another Kubernetes: ``python -m providers.releases.pins v1.36.3``, or ``make go-pins VERSION=…``.

``make go-pins VERSION="v1.33.5 kubelet"`` pins one program; a word such as ``k8s.io/cri-client@v0.33.4`` takes that
version of a staging module, for one whose own is not to be had or not in the checksum database.

``k8s.io/kubernetes`` replaces its staging modules by folders of its own tree, so a module of ours replaces them by
their published versions instead. etcd and CoreDNS are the versions that kubeadm of this Kubernetes brings; kwok works
with many versions and is pinned beside the default one only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from providers.contracts import Deadline
from providers.fanout import Limit
from providers.releases.gobuild import GoCall, find_go, go_env, run_go
from providers.releases.programs import MODULES, PROGRAMS, Program, program_named
from providers.releases.sources import PINNED, PINS
from upload.errors import HarnessError, ProviderError, UsageError

KWOK = "v0.8.0"
DEADLINE_S = 1200.0
_VERSION = re.compile(r"v1\.\d+\.\d+")
_BROUGHT = {
    "etcd": re.compile(r'DefaultEtcdVersion = "([0-9.]+)-\d+"'),
    "coredns": re.compile(r'CoreDNSVersion = "v([0-9.]+)"'),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What to pin: the version, its programs (none: all), and module → version where it is not the usual one."""

    version: str
    programs: tuple[Program, ...] = ()
    other: Mapping[str, str] = field(default_factory=dict)

    def packages(self, project: str) -> list[str]:
        """Return the packages of a project that are wished for."""
        return [each.package for each in self.programs or PROGRAMS.values() if each.project == project]


def read_wish(words: Sequence[str]) -> Wish:
    """Return what the words of a command line wish for. Raises UsageError."""
    if not words:
        raise UsageError("a version is expected", hint="make go-pins VERSION=v1.36.3")
    version, *rest = words
    if not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is no release of Kubernetes", hint="make go-pins VERSION=v1.36.3")
    modules = dict(word.split("@", 1) for word in rest if "@" in word)
    return Wish(version, tuple(program_named(word) for word in rest if "@" not in word), modules)


def make_pins(wish: Wish, root: Path, *, env: Mapping[str, str], limit: Limit, tell: Callable[[str], None]) -> None:
    """Write the pins of one version of Kubernetes below ``root``, all of them or none.

    Raises: ProviderError when Go or its proxy says no.
    """
    version = wish.version
    go = find_go(env, limit)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=root) as made:
        call = GoCall(go.path, Path(made), {**go_env(env), "GOFLAGS": "-mod=mod"}, limit)
        tell(f"downloading {MODULES['kubernetes']}@{version}")
        module = json.loads(run_go(("go", "mod", "download", "-json", f"{MODULES['kubernetes']}@{version}"), call))
        staging = dict.fromkeys(_staging(module["GoMod"], version, call), f"v0.{version.split('.', 1)[1]}")
        own = {"kubernetes": version, **brought_versions(Path(module["Dir"]))}
        if version == PINNED:
            own["kwok"] = KWOK
        for project, project_version in own.items():
            if packages := wish.packages(project):
                replaced = staging | dict(wish.other) if project == "kubernetes" else {}
                tidy(project, go_mod(project, project_version, packages, replaced), call, tell)
        into = root / version
        for folder in sorted(Path(made).iterdir()):
            (into / folder.name).mkdir(parents=True, exist_ok=True)
            for file in folder.iterdir():
                shutil.move(file, into / folder.name / file.name)
    tell(f"written: {into}")


def tidy(project: str, begun: str, call: GoCall, tell: Callable[[str], None]) -> None:
    """Write ``go.mod`` and ``go.sum`` of one project into ``<call.folder>/<project>``, complete for every platform.

    ``begun``: the go.mod to begin with.
    """
    tell(f"resolving {project}")
    folder = call.folder / project
    folder.mkdir()
    (folder / "go.mod").write_text(begun, encoding="utf-8")
    inside = replace(call, folder=folder)
    run_go(("go", "mod", "tidy"), inside)
    readonly = replace(inside, env={**call.env, "GOFLAGS": "-mod=readonly"})
    found = set(run_go(("go", "list", "-deps", "tool"), readonly).split())
    tests = {program.package for program in PROGRAMS.values() if program.is_test} & found
    if tests:
        found.update(run_go(("go", "list", "-deps", "-test", *tests), readonly).split())
    tell(f"{project}: {len(found)} packages")


def go_mod(project: str, version: str, packages: Sequence[str], replaced: Mapping[str, str]) -> str:
    """Return the go.mod from which ``go mod tidy`` makes a pin: the ``tool`` lines keep the requirement alive.

    ``replaced``: module → the version that stands for what the project's own go.mod says.
    """
    lines = [f"module federated-e2e.test/{project}", "", "go 1.24", "", "tool ("]
    lines += [f"\t{package}" for package in packages]
    lines += [")", "", f"require {MODULES[project]} {version}"]
    if replaced:
        lines += ["", "replace (", *(f"\t{name} => {name} {own}" for name, own in replaced.items()), ")"]
    return "\n".join(lines) + "\n"


def brought_versions(kubernetes: Path) -> dict[str, str]:
    """Return project → version of what kubeadm of a Kubernetes module brings. Raises ProviderError when it does not say."""
    constants = kubernetes / "cmd/kubeadm/app/constants/constants.go"
    try:
        text = constants.read_text(encoding="utf-8")
    except OSError as exc:
        raise ProviderError(f"{constants}: {exc.strerror}") from exc
    found = {project: pattern.search(text) for project, pattern in _BROUGHT.items()}
    if silent := [project for project, match in found.items() if match is None]:
        raise ProviderError(f"{constants} names no version of {', '.join(silent)}")
    return {project: f"v{match.group(1)}" for project, match in found.items() if match}


def _staging(go_mod_path: str, version: str, call: GoCall) -> list[str]:
    """Return the modules that Kubernetes replaces by folders of its own tree."""
    told = json.loads(run_go(("go", "mod", "edit", "-json", go_mod_path), call))
    names = [r["Old"]["Path"] for r in told.get("Replace") or () if r["New"]["Path"].startswith("./staging/")]
    if not names:
        raise ProviderError(f"k8s.io/kubernetes {version} has no staging modules; this script does not know its layout")
    return sorted(names)


def main(argv: Sequence[str]) -> int:
    """Run from the command line and return the exit code."""
    try:
        limit = Limit(Deadline.after(DEADLINE_S, "pinning"))
        make_pins(read_wish(argv), PINS, env=os.environ, limit=limit, tell=lambda line: _say(sys.stdout, line))
    except HarnessError as error:
        _say(sys.stderr, f"go-pins: {error}" + (f"\n     try: {error.hint}" if error.hint else ""))
        return error.outcome.value.exit_code
    return 0


def _say(stream: IO[str], line: str) -> None:
    stream.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
