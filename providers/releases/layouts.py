"""The layouts of official releases: which address a program has, and where its SHA-256 is published.

Kubernetes: ``<root>/release/<version>/bin/<os>/<arch>/<program>`` with ``<program>.sha256`` beside it; builds of CI lie
below ``<root>/ci/``; its test programs lie together in an archive. etcd: an archive and ``SHA256SUMS`` per release.
CoreDNS: an archive with its ``.sha256``. kwok publishes no checksum file; GitHub publishes the digest of each file of a
release. A directory of the user has Kubernetes's layout, or is flat.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from providers.releases.programs import Program
from providers.releases.sources import Hosts, Platform
from upload.errors import ProviderError

_SUM = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file to download. ``listed`` is its name in the checksum document, ``member`` the program's path inside an archive."""

    url: str
    sum_url: str
    listed: str
    member: str = ""


def release_asset(program: Program, version: str, hosts: Hosts, platform: Platform) -> Asset:
    """Return where a program of an official release lies below ``hosts``. ``version`` is its project's own."""
    if program.project == "kubernetes":
        channel = "ci" if "+" in version else "release"  # only builds of CI carry a commit
        root = f"{hosts.kubernetes}/{channel}/{version}"
        if not program.bundle:
            return _beside(f"{root}/bin/{platform}/{program.name}")
        bundle = _beside(f"{root}/{program.bundle}-{platform.os}-{platform.arch}.tar.gz")
        return replace(bundle, member=f"kubernetes/test/bin/{program.name}")
    if program.project == "coredns":
        packed = _beside(f"{hosts.coredns}/{version}/coredns_{version[1:]}_{platform.os}_{platform.arch}.tgz")
        return replace(packed, member=program.name)
    name = f"{program.name}-{platform.os}-{platform.arch}"
    if program.project == "etcd":
        stem = f"etcd-{version}-{platform.os}-{platform.arch}"
        archive = f"{stem}.zip" if platform.os == "darwin" else f"{stem}.tar.gz"
        root = f"{hosts.etcd}/{version}"
        return Asset(f"{root}/{archive}", f"{root}/SHA256SUMS", archive, f"{stem}/{program.name}")
    url = f"{hosts.kwok}/{version}/{name}"
    return Asset(url, f"{hosts.kwok_digests}/{version}", name) if hosts.kwok_digests else _beside(url)


def directory_assets(program: Program, directory: str, platform: Platform) -> tuple[Asset, ...]:
    """Return where a program may lie in a directory of one version: the official layout, else flat."""
    return tuple(_beside(url) for url in (f"{directory}/bin/{platform}/{program.name}", f"{directory}/{program.name}"))


def _beside(url: str) -> Asset:
    return Asset(url, f"{url}.sha256", url.rpartition("/")[2])


def marker_url(marker: str, hosts: Hosts) -> str:
    """Return the address of the text that holds a marker's version: ``release/stable-1.36`` → ``….txt``."""
    return f"{hosts.kubernetes}/{marker}.txt"


def published_sum(document: str, listed: str) -> str:
    """Return the lower-case SHA-256 that a checksum document gives for the file ``listed``.

    Forms: the bare sum, lines ``<sum>  <name>`` as sha256sum writes them, or GitHub's JSON of a release.
    Raises: ProviderError when there is none.
    """
    text = document.strip()
    if _SUM.fullmatch(text):
        return text.lower()
    sums = _github_sums(text) if text.startswith("{") else _lines(text)
    if listed not in sums:
        raise ProviderError(f"no SHA-256 of {listed} is published there")
    return sums[listed]


def _lines(text: str) -> dict[str, str]:
    pairs = (line.split(maxsplit=1) for line in text.splitlines())
    return {
        pair[1].lstrip("*").removeprefix("./"): pair[0].lower()
        for pair in pairs
        if len(pair) == 2 and _SUM.fullmatch(pair[0])
    }


def _github_sums(text: str) -> dict[str, str]:
    try:
        assets = json.loads(text)["assets"]
        told = {str(asset["name"]): str(asset.get("digest") or "") for asset in assets}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ProviderError("the list of the release's files cannot be read") from exc
    sums = {name: digest.removeprefix("sha256:").lower() for name, digest in told.items()}
    return {name: value for name, value in sums.items() if _SUM.fullmatch(value)}
