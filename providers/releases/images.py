"""The images that a Kubernetes needs: their names, as its kubeadm tells them, and whether an archive has them all."""

from __future__ import annotations

import json
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from providers.releases.archive import Entry, Image
from upload.errors import ProviderError

LARGEST_DOCUMENT_BYTES = 4 << 20
MEMBERS = 10_000
_OCI_NAME = "io.containerd.image.name"
# registry, path, tag; no digests: kubeadm names none. Source: distribution/reference.
_NAME = re.compile(r"[a-z0-9.-]+(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
# programs that are linked statically and need nothing else: component -> where the manifests of kubeadm expect it
_ALONE = {
    "kube-apiserver": "usr/local/bin/kube-apiserver",
    "kube-controller-manager": "usr/local/bin/kube-controller-manager",
    "kube-scheduler": "usr/local/bin/kube-scheduler",
    "etcd": "usr/local/bin/etcd",
    "coredns": "coredns",
}


def list_argv(kubeadm: str, version: str, repository: str = "") -> tuple[str, ...]:
    """Return the command that makes kubeadm tell its images. Without a version it would ask the internet for one."""
    elsewhere = ("--image-repository", repository) if repository else ()
    return (kubeadm, "config", "images", "list", "--kubernetes-version", version, *elsewhere)


def read_list(said: str) -> tuple[str, ...]:
    """Return the image names that kubeadm printed. Raises ProviderError when it printed something else."""
    names = tuple(said.split())
    if strange := [name for name in names if not _NAME.fullmatch(name)]:
        raise ProviderError(f"kubeadm config images list: {strange[0][:80]!r} is no name of an image")
    if not names:
        raise ProviderError("kubeadm config images list: printed nothing")
    return names


def component(name: str) -> str:
    """Return what an image is of: ``example.test/coredns/coredns:v1.14.2`` → ``coredns``."""
    return name.rpartition(":")[0].rpartition("/")[2]


def image_of(name: str, program: Path) -> Image | None:
    """Return the image ``name`` made of a program alone; None for a component that needs more than its program."""
    place = _ALONE.get(component(name))
    if place is None:
        return None
    # kubeadm's manifest of CoreDNS has arguments only; the others name their command, to be found on PATH
    entrypoint = (f"/{place}",) if place == "coredns" else ()
    return Image((name,), ((Entry(place, program),),), entrypoint=entrypoint)


def require_images(archives: Sequence[Path], wanted: Sequence[str]) -> Mapping[Path, frozenset[str]]:
    """Return archive -> what it holds. Raises ProviderError unless together they have all that are ``wanted``."""
    held = {archive: archived_names(archive) for archive in archives}
    if lacking := [name for name in wanted if not any(name in names for names in held.values())]:
        raise ProviderError(
            f"{', '.join(map(str, archives))} lacks {', '.join(lacking)}",
            hint=f"docker pull each image, then: docker save --output {archives[0].name} {' '.join(wanted)}",
        )
    return held


def archived_names(archive: Path) -> frozenset[str]:
    """Return the names of the images in an archive of docker's or of OCI's layout, compressed or not.

    Raises: ProviderError when it cannot be read, or is no such archive.
    """
    try:
        with tarfile.open(archive, "r:*") as tar:
            found = {name: _document(tar, member) for name, member in _documents(tar)}
    except OSError as exc:
        raise ProviderError(f"{archive} cannot be read: {exc.strerror or exc}") from exc
    except (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError, RecursionError) as exc:
        raise ProviderError(f"{archive} is no archive of container images: {exc}") from exc
    try:
        names = [name for image in found.get("manifest.json", []) for name in image.get("RepoTags") or ()]
        index = found.get("index.json", {}).get("manifests", [])
        names += [image["annotations"][_OCI_NAME] for image in index if _OCI_NAME in (image.get("annotations") or {})]
    except (AttributeError, TypeError) as exc:
        raise ProviderError(f"{archive} is no archive of container images: its list has another form") from exc
    if not found:
        raise ProviderError(f"{archive} is no archive of container images: it has no manifest.json and no index.json")
    return frozenset(str(name) for name in names)


def _documents(tar: tarfile.TarFile) -> Iterator[tuple[str, tarfile.TarInfo]]:
    for count, member in enumerate(tar):
        if count >= MEMBERS:
            raise ValueError(f"more than {MEMBERS} members")
        if member.name in ("manifest.json", "index.json") and member.isfile():
            yield member.name, member


def _document(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Any:
    if member.size > LARGEST_DOCUMENT_BYTES:
        raise ValueError(f"{member.name} has {member.size} bytes")
    file = tar.extractfile(member)
    return json.loads(file.read()) if file else None
