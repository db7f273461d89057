"""A checkout of Kubernetes: that it is one, what version it is, and how its programs are built.

Source: kubernetes hack/lib/version.sh (``get_version_vars``) and hack/lib/golang.sh (``build_binaries``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from providers.git_version import GitVersion, read_git
from providers.releases.forms import EXACT
from providers.releases.pinned import stamped
from providers.releases.programs import MODULES, NO_COMMIT, stamps
from upload.errors import ProviderError, UsageError

READ_BYTES = 256 * 1024
_MODULE = re.compile(rf"^module {re.escape(MODULES['kubernetes'])}$", re.MULTILINE)
_GO = re.compile(r"^go (\S+)$", re.MULTILINE)
# what ``git archive``, and so a downloaded archive, writes in the place of $Format:%D$ and $Format:%H$
_ARCHIVED_TAG = re.compile(r"\[\[ '(?:[^'\n]*[ ,])?tag: (v[^ ,'\n]+)[^'\n]*' =~")
_ARCHIVED_COMMIT = re.compile(r"KUBE_GIT_COMMIT='([0-9a-f]{40})'")
_TAGS = "selinux,notest,grpcnotrace"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A tree that programs are built from. ``tree_state``: clean, dirty or archive; ``go``: the least Go that builds it."""

    folder: Path
    version: str
    commit: str
    tree_state: str
    go: str

    @property
    def project(self) -> str:
        """Return whose it is."""
        return "kubernetes"

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the flags that Kubernetes's own scripts build with."""
        values = stamps(self.project, self.version, commit=self.commit, tree_state=self.tree_state)
        return ("-tags", _TAGS, *stamped(values))

    @property
    def settings(self) -> Mapping[str, str]:
        """Return what ``go`` is told besides: the tree's own workspace, vendored where the tree says so, and no other."""
        work = self.folder / "go.work"
        return {"GOFLAGS": "-buildvcs=false", "GOWORK": str(work) if work.is_file() else "off"}


def read_checkout(folder: Path, env: Mapping[str, str]) -> Checkout:
    """Return the checkout in ``folder``; ``env``: what git is started with.

    Raises: ProviderError when it is none of Kubernetes, or when nobody can tell its version.
    """
    go = least_go(folder)
    if not (folder / ".git").exists():  # git would find that of a folder above
        found, tree_state = _archived(folder), "archive"
    else:
        found = _of_git(folder, env)
        tree_state = "dirty" if found.is_dirty else "clean"
    if not EXACT.fullmatch(found.version):
        raise ProviderError(
            f"{folder} calls itself {found.version[:60]!r}, which is no version of Kubernetes",
            hint=f"git -C {folder} describe --tags --match 'v*'",
        )
    return Checkout(folder, found.version, found.commit, tree_state, go)


def least_go(folder: Path) -> str:
    """Return the least Go that builds the tree. Only reads. Raises ProviderError when it is no tree of Kubernetes."""
    text = _read(folder / "go.mod")
    go = _GO.search(text)
    if not _MODULE.search(text) or go is None:
        raise ProviderError(
            f"{folder} is no checkout of Kubernetes: its go.mod is not that of {MODULES['kubernetes']}",
            hint="name the folder that git clone made",
        )
    return go.group(1)


def _of_git(folder: Path, env: Mapping[str, str]) -> GitVersion:
    try:
        found = read_git(folder, env=env, untracked=True)
    except UsageError as error:
        raise ProviderError(str(error), hint=f"git -C {folder} status") from error
    if not found.is_tagged:
        deepens = " --unshallow" if (folder / ".git" / "shallow").exists() else ""
        raise ProviderError(
            f"{folder} has no version: no tag v* is among what came before its commit {found.commit[:14]}",
            hint=f"git -C {folder} fetch --tags{deepens}",
        )
    return found


def _archived(folder: Path) -> GitVersion:
    script = folder / "hack" / "lib" / "version.sh"
    text = _read(script)
    tag, commit = _ARCHIVED_TAG.search(text), _ARCHIVED_COMMIT.search(text)
    if tag is None:
        raise ProviderError(
            f"{folder} has no version: it is no git checkout, and {script.relative_to(folder)} names no release",
            hint="take a git checkout, or the archive of a release",
        )
    return GitVersion(tag.group(1), commit.group(1) if commit else NO_COMMIT)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(READ_BYTES).decode("utf-8", "replace")
    except OSError as exc:
        raise ProviderError(
            f"{path} cannot be read: {exc.strerror}", hint="name the root of a checkout of Kubernetes"
        ) from exc
