"""A copy of this machine to change at will: its files copy-on-write, a network, processes and mounts of its own.

It takes a tenth of a second, needs root, and leaves nothing. There is no systemd in it, and it has no way out. SSH
reaches it through a listener of ours that gives each connection to an ``sshd -i`` inside.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.sshd import ENDS_WITH_US, need_sshd, write_config

# a tmpfs for what changes: an overlay cannot have another one as its upper folder
SETUP = """
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/changed" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/changed,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mkdir -p run/sshd
mkdir -p "./$2"
cp -a "$2/." "./$2"
chmod 755 "./$2"
ip link set lo up
echo "$3" > /proc/sys/kernel/hostname
rm -rf var/lib/federated-e2e etc/kubernetes var/lib/kubelet var/lib/etcd etc/cni
echo ready
exec sleep infinity
"""


@dataclass(frozen=True)
class CopiedHost:
    """A running copy. ``pid``: of its first process here; ``key``: what opens it as root on ``port``."""

    port: int
    pid: int
    root: Path
    key: Path

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a script inside, not over SSH, and return what it prints."""
        done = subprocess.run(
            [*enter(self.pid, self.root), "sh", "-c", script], capture_output=True, text=True, timeout=60, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout


def enter(pid: int, root: Path) -> list[str]:
    """Return the words before a command that is to run inside."""
    return ["nsenter", "-t", str(pid), "-m", "-n", "-p", "-u", "chroot", str(root)]


def need_root() -> None:
    """Skip without root, or where a program is missing."""
    need_sshd()
    if os.geteuid() != 0:
        pytest.skip("copies of this machine need root")
    for program in ("unshare", "nsenter", "ip"):
        need_program(program)


def need_program(program: str) -> None:
    """Skip where a program is missing."""
    if not shutil.which(program, path=f"{os.defpath}:/usr/sbin:/sbin"):
        pytest.skip(f"{program} is not installed")


@contextmanager
def copied_host(folder: Path, name: str = "copy", like: CopiedHost | None = None) -> Iterator[CopiedHost]:
    """Run a copy of this machine until the block ends. ``like``: another one, whose key opens this one, too."""
    need_root()
    keys = folder / "sshd"
    keys.mkdir(parents=True)
    if like:
        for file in (like.key, like.key.with_suffix(".pub")):
            shutil.copy(file, keys)
    config = write_config(keys)
    upper = folder / "upper"
    upper.mkdir()
    space = (*ENDS_WITH_US, "unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child=SIGKILL")
    host = subprocess.Popen(
        [*space, "sh", "-c", SETUP, "sh", str(upper), str(config.parent), name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        assert host.stdout is not None
        assert host.stdout.readline() == "ready\n"
        pid = int(Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split()[0])
        inside = CopiedHost(int(listener.getsockname()[1]), pid, upper / "root", config.parent / "id")
        argv = [*enter(pid, inside.root), need_sshd(), "-i", "-f", str(config)]
        threading.Thread(target=_serve, args=(listener, argv), daemon=True).start()
        yield inside
    finally:
        listener.close()
        host.kill()
        host.wait(10)
        if host.stdout:
            host.stdout.close()


def _serve(listener: socket.socket, argv: list[str]) -> None:
    servers = []
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client:
                servers.append(
                    subprocess.Popen(argv, stdin=client.fileno(), stdout=client.fileno(), stderr=subprocess.DEVNULL)
                )
    for server in servers:
        server.kill()
        server.wait(10)
