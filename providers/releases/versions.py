"""What ``kubernetes:`` of a config may say, and how it becomes one version."""

from __future__ import annotations

import re

from providers.contracts import Deadline
from providers.releases.release import Release
from providers.releases.sources import PINNED, Sources
from upload.errors import ProviderError, UsageError

_EXACT = re.compile(r"v\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")
FORMS = "vX.Y.Z, release/stable[-X.Y], ci/latest[-X.Y], pinned, file:///DIR, https://DIR"


def resolve(kubernetes: str, *, sources: Sources, deadline: Deadline) -> Release:
    """Return the release that ``kubernetes`` names.

    Raises: UsageError for a text of another form; ProviderError when a marker cannot be resolved.
    """
    deadline.check()
    if kubernetes == "pinned":
        return Release(PINNED, "pinned", sources)
    if _EXACT.fullmatch(kubernetes):
        return Release(kubernetes, "exact", sources)
    if kubernetes.startswith(("release/", "ci/")):
        raise ProviderError(f"{kubernetes}: cannot be resolved")
    raise UsageError(f"{kubernetes!r} is no version; expected one of {FORMS}")
