"""The Go modules that were pinned: ``go/<kubernetes version>/<project>/{go.mod,go.sum}``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from providers.releases.programs import MODULES, Program, stamps
from upload.errors import ProviderError

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


def stamped(values: Sequence[str]) -> tuple[str, ...]:
    """Return the flags of ``go build`` for programs that are told ``values``.

    Debug data is neither made nor linked, as in official releases: that saves a fifth of the compiler's cache.
    """
    given = " ".join(f"-X {value}" for value in values)
    return ("-trimpath", "-gcflags=all=-dwarf=false", "-ldflags", f"-s -w {given}".strip())


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned module. ``version`` is the project's own, ``go`` the least Go that builds it, ``packages`` what it pins."""

    project: str
    folder: Path
    version: str
    go: str
    packages: frozenset[str] = frozenset()

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the flags of ``go build`` that decide what comes out."""
        return stamped(stamps(self.project, self.version))

    @property
    def settings(self) -> Mapping[str, str]:
        """Return what ``go`` is told besides: nothing but what is pinned is taken."""
        return {"GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}

    @property
    def digest(self) -> str:
        """Return 12 hex digits that change when the program would."""
        told = hashlib.sha256("\0".join(self.flags).encode())
        for name in ("go.mod", "go.sum"):
            told.update((self.folder / name).read_bytes())
        return told.hexdigest()[:12]


def built_from(program: Program, pin: Pin) -> str:
    """Return what a build is made of, to be shown: ``k8s.io/kubernetes/cmd/kubectl@v1.36.3``."""
    own = program.package.startswith(MODULES[pin.project])
    return f"{program.package}{'@' if own else f' of {pin.project} '}{pin.version}"


def pinned_versions(root: Path) -> tuple[str, ...]:
    """Return the Kubernetes versions that have pins, oldest first."""
    found = [folder.name for folder in root.iterdir() if _VERSION.fullmatch(folder.name)] if root.is_dir() else []
    return tuple(sorted(found, key=_order))


def read_pin(folder: Path, project: str, module: str) -> Pin:
    """Return the pin in ``folder``. Raises ProviderError when its go.mod does not name ``module``."""
    try:
        text = (folder / "go.mod").read_text(encoding="utf-8")
    except OSError as exc:
        raise ProviderError(f"{folder / 'go.mod'} cannot be read: {exc.strerror}") from exc
    required = re.search(rf"^(?:require)?\s+{re.escape(module)} (v\S+)", text, re.MULTILINE)
    go = re.search(r"^go (\S+)$", text, re.MULTILINE)
    if required is None or go is None:
        raise ProviderError(f"{folder / 'go.mod'} does not require {module}", hint="make go-pins VERSION=vX.Y.Z")
    tools = re.findall(r"^(?:tool)?[ \t]+([^\s()]+)$", text, re.MULTILINE)
    return Pin(project, folder, required.group(1), go.group(1), frozenset(tools))


def pin_for(program: Program, kubernetes: str, root: Path) -> Pin:
    """Return the pin that a program of Kubernetes ``kubernetes`` is built from.

    Kubernetes's own programs need a pin of exactly this version. etcd and kwok come from this version's pins, else
    from the same minor's, else from the newest ones: they work with several versions of Kubernetes.
    Raises: ProviderError listing what is pinned, also when the pin is one of other programs only.
    """
    versions = pinned_versions(root)
    places = [kubernetes] if program.project == "kubernetes" else _companions(kubernetes, versions)
    for version in places:
        folder = root / version / program.project
        if (folder / "go.mod").is_file():
            pin = read_pin(folder, program.project, MODULES[program.project])
            if program.package not in pin.packages:
                raise ProviderError(
                    f"{program.name} {version} is not pinned, only {', '.join(sorted(pin.packages))}",
                    hint=f"make go-pins VERSION={version}",
                )
            return pin
    raise ProviderError(
        f"{kubernetes} is not pinned; pinned: {', '.join(versions) or 'nothing'}",
        hint=f"make go-pins VERSION={kubernetes}",
    )


def _companions(kubernetes: str, versions: tuple[str, ...]) -> list[str]:
    minor = kubernetes.split(".")[:2]
    same = [version for version in reversed(versions) if version.split(".")[:2] == minor]
    return list(dict.fromkeys([kubernetes, *same, *reversed(versions)]))


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("v").split("."))
