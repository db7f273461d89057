"""Where programs may come from: the public hosts, their layouts, and the value that says which of them to use.

No other file names a host of public releases.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from upload.errors import UsageError

IMAGE_REGISTRY = "registry.k8s.io"
PINNED = "v1.36.3"  # what ``pinned`` means; providers/releases/go/<PINNED>/ holds its modules
PINS = Path(__file__).parent / "go"


@dataclass(frozen=True, slots=True)
class Hosts:
    """The roots of the official layouts. ``kwok_digests`` answers a release's published digests."""

    kubernetes: str = "https://dl.k8s.io"
    etcd: str = "https://github.com/etcd-io/etcd/releases/download"
    kwok: str = "https://github.com/kubernetes-sigs/kwok/releases/download"
    kwok_digests: str = "https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags"
    coredns: str = "https://github.com/coredns/coredns/releases/download"

    @classmethod
    def mirror(cls, root: str) -> Hosts:
        """Return the same layouts below one root; kwok's checksums are files there, ``<program>.sha256``."""
        return cls(
            kubernetes=root,
            etcd=f"{root}/etcd-io/etcd/releases/download",
            kwok=f"{root}/kubernetes-sigs/kwok/releases/download",
            kwok_digests="",
            coredns=f"{root}/coredns/coredns/releases/download",
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one or several programs are. ``unit``: bytes, modules or packages; ``total`` is 0 while nobody knows it."""

    program: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True)
class Platform:
    """Operating system and processor in Go's words."""

    os: str
    arch: str

    def __str__(self) -> str:
        return f"{self.os}/{self.arch}"

    @classmethod
    def named(cls, name: str) -> Platform:
        """Return the platform of a name such as ``linux/arm64``. Raises UsageError."""
        system, _, arch = name.partition("/")
        if not (system.isalnum() and arch.isalnum()):
            raise UsageError(f"{name!r} is no platform", hint="a platform is such as linux/amd64")
        return cls(system, arch)

    @classmethod
    def here(cls) -> Platform:
        """Return this machine's platform."""
        machine = platform.machine().lower()
        arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
        return cls(platform.system().lower(), arch)


def _ignore(_progress: Progress) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to look for programs, and how long to wait there.

    ``cache``: the folder of finished programs; ``env``: what ``go`` is started with (GOPROXY and the like);
    ``mirror``: root with the official layouts, or empty; ``offline``: open no network at all; ``built``: the folder of
    one run for what is built from a checkout, which is never kept longer. ``reach`` is the
    memory of one process: (host, port) -> why there is no connection, empty when there is one; nobody is asked twice.
    """

    cache: Path
    env: Mapping[str, str] = field(repr=False)
    mirror: str = ""
    offline: bool = False
    built: Path | None = None
    progress: Callable[[Progress], None] = _ignore
    hosts: Hosts = Hosts()
    pins: Path = PINS
    platform: Platform = field(default_factory=Platform.here)
    connect_s: float = 5.0
    stall_s: float = 20.0
    retry_pause_s: float = 0.5
    reach: dict[tuple[str, int], str] = field(default_factory=dict, compare=False)


def sources_from_env(
    env: Mapping[str, str], *, offline: bool = False, progress: Callable[[Progress], None] = _ignore
) -> Sources:
    """Return the sources that the environment asks for: ``E2E_CACHE_DIR``, ``XDG_CACHE_HOME``, ``E2E_MIRROR``.

    Raises: UsageError for a mirror that is not https (plain http only on loopback), or when there is no home.
    """
    mirror = env.get("E2E_MIRROR", "").strip().rstrip("/")
    if mirror:
        require_safe(mirror, "E2E_MIRROR")
    return Sources(cache=_cache_dir(env), env=dict(env), mirror=mirror, offline=offline, progress=progress)


def _cache_dir(env: Mapping[str, str]) -> Path:
    if own := env.get("E2E_CACHE_DIR"):
        return Path(own).absolute()
    if base := env.get("XDG_CACHE_HOME"):
        return Path(base).absolute() / "federated-e2e"
    if home := env.get("HOME"):
        return Path(home).absolute() / ".cache" / "federated-e2e"
    raise UsageError("no folder for the cache of programs: HOME is not set", hint="export E2E_CACHE_DIR=/some/folder")


def require_safe(url: str, what: str) -> None:
    """Raise UsageError unless ``url`` is https, or http on loopback: a checksum from an open wire proves nothing."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as exc:
        raise UsageError(f"{what} is no URL: {exc}") from exc
    local = parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost")
    if not host or not (parts.scheme == "https" or local):
        raise UsageError(f"{what} must be an https:// address, not {without_password(url)!r}")


def without_password(url: str) -> str:
    """Return the URL as it may be shown: user and password, and what follows ``?``, are left out."""
    scheme, mark, rest = url.partition("://")
    authority, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}" if mark else url
