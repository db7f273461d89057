"""Pin the Go modules of another Kubernetes: ``python -m providers.releases.pins v1.36.3``, or ``make go-pins VERSION=…``.

``k8s.io/kubernetes`` replaces its staging modules by folders of its own tree, so a module of ours replaces them by
their published versions instead. etcd is the version that kubeadm of this Kubernetes brings; kwok works with many
versions and is pinned beside the default one only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from providers.contracts import Deadline
from providers.releases.fanout import Limit
from providers.releases.gobuild import GoCall, find_go, go_env, run_go
from providers.releases.programs import MODULES, PROGRAMS
from providers.releases.sources import PINNED, PINS
from upload.errors import HarnessError, ProviderError, UsageError

KWOK = "v0.8.0"
DEADLINE_S = 1200.0
_VERSION = re.compile(r"v1\.\d+\.\d+")
_ETCD = re.compile(r'DefaultEtcdVersion = "([0-9.]+)-\d+"')


def make_pins(version: str, root: Path, *, env: Mapping[str, str], limit: Limit, tell: Callable[[str], None]) -> None:
    """Write the pins of one version of Kubernetes below ``root``, all of them or none.

    Raises: UsageError for a version that is no release; ProviderError when Go or its proxy says no.
    """
    if not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is no release of Kubernetes", hint="make go-pins VERSION=v1.36.3")
    go = find_go(env, limit)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=root) as made:
        call = GoCall(go.path, Path(made), {**go_env(env), "GOFLAGS": "-mod=mod"}, limit)
        tell(f"downloading {MODULES['kubernetes']}@{version}")
        module = json.loads(run_go(("go", "mod", "download", "-json", f"{MODULES['kubernetes']}@{version}"), call))
        tidy("kubernetes", version, call, tell, replaced=_staging(module["GoMod"], version, call))
        tidy("etcd", etcd_version(Path(module["Dir"])), call, tell)
        if version == PINNED:
            tidy("kwok", KWOK, call, tell)
        into = root / version
        for folder in sorted(Path(made).iterdir()):
            (into / folder.name).mkdir(parents=True, exist_ok=True)
            for file in folder.iterdir():
                shutil.move(file, into / folder.name / file.name)
    tell(f"written: {into}")


def tidy(
    project: str, version: str, call: GoCall, tell: Callable[[str], None], *, replaced: Sequence[str] = ()
) -> None:
    """Write ``go.mod`` and ``go.sum`` of one project into ``<call.folder>/<project>``, complete for every platform."""
    tell(f"resolving {project} {version}")
    folder = call.folder / project
    folder.mkdir()
    packages = [program.package for program in PROGRAMS.values() if program.project == project]
    (folder / "go.mod").write_text(go_mod(project, version, packages, replaced), encoding="utf-8")
    inside = replace(call, folder=folder)
    run_go(("go", "mod", "tidy"), inside)
    readonly = replace(inside, env={**call.env, "GOFLAGS": "-mod=readonly"})
    found = run_go(("go", "list", "-deps", *packages), readonly).split()
    tell(f"{project} {version}: {len(packages)} programs of {len(found)} packages")


def go_mod(project: str, version: str, packages: Sequence[str], replaced: Sequence[str] = ()) -> str:
    """Return the go.mod from which ``go mod tidy`` makes a pin: the ``tool`` lines keep the requirement alive."""
    staging = f"v0.{version.split('.', 1)[1]}"
    lines = [f"module federated-e2e.test/{project}", "", "go 1.24", "", "tool ("]
    lines += [f"\t{package}" for package in packages]
    lines += [")", "", f"require {MODULES[project]} {version}"]
    if replaced:
        lines += ["", "replace (", *(f"\t{name} => {name} {staging}" for name in replaced), ")"]
    return "\n".join(lines) + "\n"


def etcd_version(kubernetes: Path) -> str:
    """Return the etcd that kubeadm of a Kubernetes module brings. Raises ProviderError when it does not say."""
    constants = kubernetes / "cmd/kubeadm/app/constants/constants.go"
    try:
        found = _ETCD.search(constants.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ProviderError(f"{constants}: {exc.strerror}") from exc
    if found is None:
        raise ProviderError(f"{constants} names no DefaultEtcdVersion")
    return f"v{found.group(1)}"


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
        if len(argv) != 1:
            raise UsageError("one version is expected", hint="make go-pins VERSION=v1.36.3")
        limit = Limit(Deadline.after(DEADLINE_S, "pinning"))
        make_pins(argv[0], PINS, env=os.environ, limit=limit, tell=lambda line: _say(sys.stdout, line))
    except HarnessError as error:
        _say(sys.stderr, f"go-pins: {error}" + (f"\n     try: {error.hint}" if error.hint else ""))
        return error.outcome.value.exit_code
    return 0


def _say(stream: IO[str], line: str) -> None:
    stream.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
