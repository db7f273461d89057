"""What a config of somebody else, such as that of a pull request, must not ask for when it is run (DESIGN section 4, Trust)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from providers.wording import visible
from upload.errors import UsageError

if TYPE_CHECKING:
    from providers.config.model import JobConfig

RELEASED = ("v", "release/", "ci/", "pinned")  # programs that Kubernetes itself publishes


def refuse_trust(job: JobConfig) -> None:
    """Raise UsageError with everything that would execute what the config names, or act with somebody's credentials."""
    found = tuple(_asked_for(job))
    if found:
        raise UsageError(
            f"an untrusted config must not have {', '.join(found)}", hint="read it, then run it without --untrusted"
        )


def _asked_for(job: JobConfig) -> Iterator[str]:
    if job.provider.name != "local":
        yield f"provider {visible(job.provider.name)}"
    elif job.provider.settings:
        yield f"settings of the provider ({', '.join(map(visible, job.provider.settings))})"
    if job.suite.tester != "pytest":
        yield f"tester {visible(job.suite.tester)}"
    versions = {"kubernetes": job.kubernetes, "cluster.kubelet_version": job.cluster.kubelet_version}
    for key, version in {**versions, "cluster.upgrade_to": job.cluster.upgrade_to}.items():
        if version and not version.startswith(RELEASED):
            yield f"{key} {visible(version)}"
    if job.hooks.given:
        yield "hooks"
    if job.notify.on_failure or job.notify.webhook != "never":
        yield "notify"
