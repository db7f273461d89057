"""The forms of ``kubernetes:`` in a config. Looks at nothing but the text, so that checking a config opens nothing."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from providers.releases.sources import require_safe
from upload.errors import UsageError

FORMS = "vX.Y.Z, release/stable[-X.Y], ci/latest[-X.Y], pinned, file:///DIR, https://DIR, source:/DIR"
EXACT = re.compile(r"v(\d+\.\d+)\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
SOURCE = "source:"  # what a checkout to be built begins with
RELEASE = re.compile(
    r"v\d+\.\d+\.\d+(?:-(?:alpha|beta|rc)\.\d+)?"
)  # what the project itself publishes, images included
MARKER = re.compile(r"(?:release/stable|ci/latest)(?:-(\d+\.\d+))?")


def check_form(kubernetes: str) -> None:
    """Raise UsageError unless the text has one of ``FORMS``."""
    if kubernetes == "pinned" or EXACT.fullmatch(kubernetes) or MARKER.fullmatch(kubernetes):
        return
    if kubernetes.startswith("file:"):
        folder_of(kubernetes)
    elif kubernetes.startswith(SOURCE):
        checkout_of(kubernetes)
    elif kubernetes.startswith(("https:", "http:")):
        require_safe(kubernetes, "the directory of a version")
    else:
        near = f"; did you mean v{kubernetes}?" if EXACT.fullmatch(f"v{kubernetes}") else ""
        raise UsageError(f"{kubernetes!r} is no version of Kubernetes{near}", hint=f"use one of: {FORMS}")


def folder_of(kubernetes: str) -> Path:
    """Return the folder of a ``file:///`` address. Raises UsageError when it is none."""
    try:
        parts = urlsplit(kubernetes)
    except ValueError as exc:
        raise UsageError(f"{kubernetes!r} is no address: {exc}") from exc
    folder = Path(unquote(parts.path))
    if parts.netloc or not folder.is_absolute() or "\0" in parts.path:
        raise UsageError(f"{kubernetes!r}: expected file:///absolute/folder")
    return folder


def checkout_of(kubernetes: str) -> Path:
    """Return the folder of ``source:/DIR``, written as it is. Raises UsageError when it is none.

    It is absolute, as that of ``file:///DIR`` is: a run is gone on with from any folder.
    """
    folder = Path(kubernetes.removeprefix(SOURCE))
    if not folder.is_absolute() or not kubernetes.isprintable() or ".." in folder.parts:
        raise UsageError(f"{kubernetes!r}: expected source:/absolute/folder")
    return folder


def release_of(version: str) -> str:
    """Return the release whose programs fit a vendor's cluster: ``v1.35.4`` for ``v1.35.4-gke.100`` and ``v1.35.4+k3s1``."""
    found = RELEASE.match(version)
    return found[0] if found else version
