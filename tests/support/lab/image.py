"""The root of every host: one squashfs file, made once from Debian packages and kept in the cache by its inputs.

Hosts lay their own disk over it, so it never changes, and a host starts without copying anything. More can be laid
between the two: a layer is a squashfs of a folder too, made with ``squash``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from providers.contracts import Deadline
from providers.releases.cache import Cache, Key
from providers.releases.sources import Sources
from tests.support.lab.command import run
from tests.support.lab.mirror import OS_RELEASE, Mirror, mirror_here, suite_of

HERE = Path(__file__).parent
PACKAGES = HERE / "image-packages.txt"
ROOT = HERE / "root"  # files that are laid over what the packages install
BUILD_S = 900.0
ADMIN = "admin"  # a user who needs sudo, beside root

TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")  # they hold apt's locks at some random time after a boot

# If we are killed, so is the build; its mounts are private, so none is left in what is removed next time.
CONFINED = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child")
# a host has its own key; fetched packages and texts are dead weight; settings in sysctl.d would be the machine's
UNWANTED = (
    "etc/ssh/ssh_host_*",
    "usr/lib/sysctl.d",
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
    "var/lib/dbus/machine-id",  # else systemd gives it to every host
    "var/cache/apt/archives/*.deb",
    "var/cache/apt/*.bin",
    "var/lib/apt/lists/*",
    "var/log/*.log",
    "var/log/apt/*",
)


def host_image(sources: Sources) -> Path:
    """Return the path of the image. The first call on a machine builds it, which takes about 90 seconds.

    Two processes at once build it once. Needs root. Raises: ProviderError, DeadlineExceeded.
    """
    deadline = Deadline.after(BUILD_S, "building the image of the lab's hosts")
    os_release = Path(OS_RELEASE).read_text(encoding="utf-8")
    key = Key("lab-root", suite_of(os_release), str(sources.platform), digest())
    cache = Cache(sources.cache)
    with cache.locked([key], deadline):
        if found := cache.find(key):
            return found.path
        mirror = mirror_here(os_release)  # asked only now: apt takes its time to answer
        with cache.staging(key) as folder:
            _build(mirror, folder / "root", deadline)
            squash(folder / "root", folder / "lab-root")
            return cache.adopt(key, folder / "lab-root", f"Debian packages of {mirror.suite}")


def squash(folder: Path, file: Path) -> None:
    """Write the tree below ``folder``, with owners and modes as they are, as the squashfs ``file``."""
    compressed = ("-comp", "zstd", "-Xcompression-level", "3", "-no-xattrs")
    run("mksquashfs", str(folder), str(file), *compressed, "-noappend", "-quiet", "-no-progress", timeout_s=BUILD_S)


def digest(packages: Path = PACKAGES, root: Path = ROOT, recipe: Path = Path(__file__)) -> str:
    """Return 12 hex digits that change with everything an image is made from, but for the packages' versions."""
    told = hashlib.sha256(packages.read_bytes() + recipe.read_bytes())
    for path in _own_files(root):
        told.update(f"{path.relative_to(root)}\0{os.access(path, os.X_OK)}\0".encode())
        told.update(path.read_bytes())
    return told.hexdigest()[:12]


def _own_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def packages_of(text: str) -> tuple[str, ...]:
    """Return the names in a list of packages: the first word of each line, without comments."""
    return tuple(words[0] for line in text.splitlines() if (words := line.partition("#")[0].split()))


def debootstrap_argv(mirror: Mirror, names: tuple[str, ...], root: Path) -> tuple[str, ...]:
    """Return the command that installs ``names`` and what they need into the empty folder ``root``."""
    return (
        "debootstrap",
        "--variant=minbase",
        f"--components={','.join(mirror.components)}",
        f"--include={','.join(names)}",
        mirror.suite,
        str(root),
        mirror.uri,
    )


def install(mirror: Mirror, names: tuple[str, ...], root: Path, deadline: Deadline) -> None:
    """Make ``root`` a Debian tree of ``names`` and what they need. Needs root. Raises CommandError, DeadlineExceeded."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    if mirror.proxy:
        env["http_proxy"] = mirror.proxy
    argv = debootstrap_argv(mirror, names, root)
    run(*argv, env=env, timeout_s=deadline.remaining_s(), of_this_thread=CONFINED)


def _build(mirror: Mirror, root: Path, deadline: Deadline) -> None:
    install(mirror, packages_of(PACKAGES.read_text(encoding="utf-8")), root, deadline)
    _furnish(root)


def _furnish(root: Path) -> None:
    """Make a machine of an installed tree: our files, a second user, and nothing that only one host may have."""
    for pattern in UNWANTED:
        for path in root.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in _own_files(ROOT):
        to = root / path.relative_to(ROOT)
        to.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        to.write_bytes(path.read_bytes())
        to.chmod(0o755 if os.access(path, os.X_OK) else 0o644)  # not what the umask of a checkout left
    (root / "etc/machine-id").write_bytes(b"")
    (root / "usr/lib/modules").mkdir(parents=True, exist_ok=True)  # kube-proxy mounts it
    (root / "opt/cni").mkdir(parents=True, exist_ok=True)
    (root / "opt/cni/bin").symlink_to("/usr/lib/cni")
    run("useradd", "--root", str(root), "--create-home", "--uid", "1000", "--shell", "/bin/bash", ADMIN)
    run("systemctl", f"--root={root}", "enable", "lab-host.service")
    run("systemctl", f"--root={root}", "disable", *TIMERS, "haproxy.service")  # whoever wants one starts an own
