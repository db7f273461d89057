"""What a git checkout calls itself, in the words of Kubernetes' own builds (``hack/lib/version.sh``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from providers.git import Git

_DESCRIBED = re.compile(r"(?P<tag>v.+)-(?P<commits>\d+)-g(?P<sha>[0-9a-f]+)")
_DIRTY = "-dirty"
_UNTAGGED = "v0.0.0+"


@dataclass(frozen=True, slots=True)
class GitVersion:
    """``version`` as ``v1.36.3``, or ``v1.36.3-12+0123456789abcd`` for 12 commits after the tag; ``commit``: 40 digits.

    It ends in ``-dirty`` where something is not committed.
    """

    version: str
    commit: str

    @property
    def is_dirty(self) -> bool:
        """Whether something is not committed."""
        return self.version.endswith(_DIRTY)

    @property
    def is_tagged(self) -> bool:
        """Whether a version tag is among what came before the commit."""
        return not self.version.startswith(_UNTAGGED)


def read_git(checkout: Path, *, env: Mapping[str, str], untracked: bool = False) -> GitVersion:
    """Return version and commit of what is checked out. Nothing is changed.

    ``env``: what git is started with. ``untracked``: a file that git does not know makes it dirty too, since Go would
    compile it.
    Raises UsageError when git is not there, or ``checkout`` is no checkout with a commit.
    """
    git = Git(checkout, env, hint="give --version, or the folder of a git checkout")
    commit = git.text("rev-parse", "--verify", "HEAD^{commit}")
    described = git.text("describe", "--tags", "--match", "v*", "--abbrev=14", "--always")
    changed = git.text("status", "--porcelain", f"--untracked-files={'normal' if untracked else 'no'}")
    return GitVersion(as_version(described) + (_DIRTY if changed else ""), commit)


def as_version(described: str) -> str:
    """Return the version that ``git describe`` means: what follows ``+`` is how readers find the commit.

    Without any tag it is ``v0.0.0+<commit>``, the base that Kubernetes gives what was never released.
    """
    if not described.startswith("v"):
        return f"{_UNTAGGED}{described}"
    found = _DESCRIBED.fullmatch(described)
    if found is None:
        return described
    sign = "." if "-" in found["tag"] else "-"  # v1.37.0-alpha.1.12+…, but v1.36.3-12+…
    return f"{found['tag']}{sign}{found['commits']}+{found['sha']}"
