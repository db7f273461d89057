"""The Debian layer below the lab's images that need more than one program: a tar, made once and kept in the cache.

Published images are made of other parts: what a test finds out about the content of an image says nothing here.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from providers.contracts import Deadline
from providers.releases.cache import Cache, Key
from providers.releases.sources import Sources
from tests.support.lab.command import run
from tests.support.lab.image import install, packages_of
from tests.support.lab.mirror import OS_RELEASE, mirror_here, suite_of

PACKAGES = Path(__file__).parent / "layer-packages.txt"
BUSYBOX = "/usr/lib/busybox"  # a folder of links, one for each of BusyBox's programs
MOMENT_S = 60.0
# fetched packages and texts are dead weight; the rest differs from build to build, or is the container runtime's
UNWANTED = (
    "dev/*",
    "etc/hostname",
    "etc/machine-id",
    "etc/resolv.conf",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/zoneinfo",
    "var/cache/apt/*",
    "var/cache/debconf/*",
    "var/cache/ldconfig/*",
    "var/lib/apt/lists/*",
    "var/log/*.log",
    "var/log/apt",
    "var/log/nginx/*",
)


def debian_layer(sources: Sources, deadline: Deadline) -> Path:
    """Return the path of the layer. The first call on a machine makes it, which takes about 40 seconds.

    Needs root. Raises: ProviderError, DeadlineExceeded.
    """
    os_release = Path(OS_RELEASE).read_text(encoding="utf-8")
    recipe = hashlib.sha256(PACKAGES.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    key = Key("lab-layer.tar", suite_of(os_release), str(sources.platform), recipe)
    cache = Cache(sources.cache)
    with cache.locked([key], deadline):
        if found := cache.find(key):
            return found.path
        mirror = mirror_here(os_release)
        with cache.staging(key) as folder:
            root = folder / "root"
            install(mirror, packages_of(PACKAGES.read_text(encoding="utf-8")), root, deadline)
            _furnish(root)
            _pack(root, folder / key.program)
            return cache.adopt(key, folder / key.program, f"Debian packages of {mirror.suite}")


def _furnish(root: Path) -> None:
    for pattern in UNWANTED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shell = root / "usr/bin/sh"
    shell.unlink()
    shell.symlink_to("bash")
    links = root / BUSYBOX.lstrip("/")
    links.mkdir()
    for name in run(str(root / "usr/bin/busybox"), "--list").split():
        if name not in ("sh", "ash"):  # they too drop such variables
            (links / name).symlink_to("/usr/bin/busybox")
    for name, stream in (("access.log", "stdout"), ("error.log", "stderr")):
        (root / "var/log/nginx" / name).symlink_to(f"/dev/{stream}")
    # a test of supplemental groups looks for both. Source: test/images/agnhost/Dockerfile of Kubernetes
    of_root = ("--root", str(root))
    run("groupadd", *of_root, "--gid", "50000", "group-defined-in-image")
    run("useradd", *of_root, "--uid", "1000", "--groups", "group-defined-in-image", "user-defined-in-image")


def _pack(root: Path, into: Path) -> None:
    same = ("--sort=name", "--mtime=@0", "--numeric-owner", "--format=posix")
    times = "--pax-option=delete=atime,delete=ctime"
    run("tar", "--create", "--file", str(into), *same, times, "--directory", str(root), ".", timeout_s=MOMENT_S)
