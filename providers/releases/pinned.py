"""The Go modules that were pinned: ``go/<kubernetes version>/<project>/{go.mod,go.sum}``."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from providers.releases.programs import MODULES, Program, stamps
from upload.errors import ProviderError

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned module. ``version`` is the project's own, ``go`` the least Go that builds it."""

    project: str
    folder: Path
    version: str
    go: str

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the flags of ``go build`` that decide what comes out.

        Debug data is neither made nor linked, as in official releases: that saves a fifth of the compiler's cache.
        """
        values = " ".join(f"-X {stamp}" for stamp in stamps(self.project, self.version))
        return ("-trimpath", "-ldflags", f"-s -w {values}".strip())

    @property
    def digest(self) -> str:
        """Return 12 hex digits that change when the program would."""
        told = hashlib.sha256("\0".join(self.flags).encode())
        for name in ("go.mod", "go.sum"):
            told.update((self.folder / name).read_bytes())
        return told.hexdigest()[:12]


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
    return Pin(project, folder, required.group(1), go.group(1))


def pin_for(program: Program, kubernetes: str, root: Path) -> Pin:
    """Return the pin that a program of Kubernetes ``kubernetes`` is built from.

    Kubernetes's own programs need a pin of exactly this version. etcd and kwok come from the pin of this version,
    else of the same minor, else from the newest one: they work with several versions of Kubernetes.
    Raises: ProviderError listing what is pinned.
    """
    versions = pinned_versions(root)
    if program.project == "kubernetes":
        folder = root / kubernetes / program.project
    else:
        folder = root / _companion(kubernetes, versions) / program.project
    if not (folder / "go.mod").is_file():
        raise ProviderError(
            f"{kubernetes} is not pinned; pinned: {', '.join(versions) or 'nothing'}",
            hint=f"make go-pins VERSION={kubernetes}",
        )
    return read_pin(folder, program.project, MODULES[program.project])


def _companion(kubernetes: str, versions: tuple[str, ...]) -> str:
    if kubernetes in versions or not versions:
        return kubernetes
    minor = kubernetes.split(".")[:2]
    same = [version for version in versions if version.split(".")[:2] == minor]
    return (same or list(versions))[-1]


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("v").split("."))
