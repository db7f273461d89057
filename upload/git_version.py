"""What a git checkout calls itself, in the words of Kubernetes' own builds (``hack/lib/version.sh``)."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from upload.errors import UsageError

PATIENCE_S = 60.0
# what git sets for its hooks, and what would win over the folder; a caller's settings (GIT_CONFIG_…) count
_OF_A_CHECKOUT = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "COMMON_DIR", "INDEX_FILE", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES"),
        *("NAMESPACE", "PREFIX", "CEILING_DIRECTORIES"),
    )
)
_DESCRIBED = re.compile(r"(?P<tag>v.+)-(?P<commits>\d+)-g(?P<sha>[0-9a-f]+)(?P<dirty>-dirty)?")


@dataclass(frozen=True, slots=True)
class GitVersion:
    """``version`` as ``v1.36.3``, or ``v1.36.3-12+0123456789abcd`` for 12 commits after the tag; ``commit``: 40 digits."""

    version: str
    commit: str


def read_git(checkout: Path) -> GitVersion:
    """Return version and commit of what is checked out. Nothing is changed.

    Raises UsageError when git is not there, or ``checkout`` is no checkout with a commit.
    """
    commit = _git(checkout, "rev-parse", "--verify", "HEAD^{commit}")
    described = _git(checkout, "describe", "--tags", "--match", "v*", "--abbrev=14", "--always", "--dirty")
    return GitVersion(as_version(described), commit)


def as_version(described: str) -> str:
    """Return the version that ``git describe`` means: what follows ``+`` is how readers find the commit.

    Without any tag it is ``v0.0.0+<commit>``, the base that Kubernetes gives what was never released.
    """
    if not described.startswith("v"):
        return f"v0.0.0+{described}"
    found = _DESCRIBED.fullmatch(described)
    if found is None:
        return described
    sign = "." if "-" in found["tag"] else "-"  # v1.37.0-alpha.1.12+…, but v1.36.3-12+…
    return f"{found['tag']}{sign}{found['commits']}+{found['sha']}{found['dirty'] or ''}"


def _git(checkout: Path, *words: str) -> str:
    env = {name: value for name, value in os.environ.items() if name not in _OF_A_CHECKOUT} | {"LC_ALL": "C"}
    argv = ["git", "--no-optional-locks", "-C", str(checkout), *words]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=PATIENCE_S, check=False)
    except FileNotFoundError as exc:
        raise UsageError("git is not installed", hint="give --version instead") from exc
    except subprocess.TimeoutExpired as exc:
        raise UsageError(f"{checkout}: git took more than {PATIENCE_S:.0f} s", hint="give --version instead") from exc
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"git ended with code {done.returncode}"]
        raise UsageError(f"{checkout}: {said[0]}", hint="give --version, or the folder of a git checkout")
    return done.stdout.strip()
