"""Where this machine gets its Debian packages from, so that no file of ours has to name a mirror."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tests.support.lab.command import run
from upload.errors import ProviderError

# one line for each index apt knows; apt's own way to ask, whatever form its sources have
ASK = ("apt-get", "indextargets", "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)", "Created-By: Packages")
COMPONENTS = ("main", "universe")  # Ubuntu has containerd's neighbours in universe
OS_RELEASE = "/etc/os-release"


@dataclass(frozen=True, slots=True)
class Mirror:
    """A source of packages: its address, the release to install, its components; ``proxy`` may be empty."""

    uri: str
    suite: str
    components: tuple[str, ...]
    proxy: str = ""


def choose(index_targets: str, os_release: str, proxy: str = "") -> Mirror:
    """Return the source of the running release from what ``ASK`` printed and the text of ``/etc/os-release``.

    Raises: ProviderError when apt has no source for it.
    """
    suite = suite_of(os_release)
    offered: dict[str, list[str]] = {}
    for line in index_targets.splitlines():
        uri, _, rest = line.partition("|")
        release, _, component = rest.partition("|")
        if release == suite and component in COMPONENTS:
            offered.setdefault(uri, []).append(component)
    for uri, components in offered.items():
        if "main" in components:
            return Mirror(uri, suite, tuple(c for c in COMPONENTS if c in components), proxy)
    raise ProviderError(
        f"apt has no source of packages for the release {suite or 'of this machine'}",
        hint="add one to /etc/apt/sources.list.d, then: apt-get update",
    )


def suite_of(os_release: str) -> str:
    """Return the running release's name, such as ``bookworm``; empty when it has none."""
    facts = dict(line.split("=", 1) for line in os_release.splitlines() if "=" in line)
    return facts.get("VERSION_CODENAME", "").strip("\"'")


def mirror_here(os_release: str) -> Mirror:
    """Return this machine's source. ``os_release``: the text of ``OS_RELEASE``. Raises ProviderError."""
    asked = run("apt-config", "shell", "proxy", "Acquire::http::Proxy")
    words = shlex.split(asked)
    proxy = words[0].partition("=")[2] if words else ""
    return choose(run(*ASK), os_release, "" if proxy == "DIRECT" else proxy)
