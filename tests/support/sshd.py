"""A real OpenSSH server of our own on a loopback port, run as the current user, and the keys to get in."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = "/usr/sbin/sshd"
START_S = 10.0
# a killed test run leaves no server
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")

CONFIG = """
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
# by which bash believes that it is no first shell and leaves the start files of whoever runs the tests alone
SetEnv SHLVL=2{environment}
{more}
"""

# becomes nobody else: whoever runs the tests without root gets no further than that
SUDO = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


@dataclass(frozen=True)
class Sshd:
    """A running server. ``folder``: its keys and its log; ``key``: a private key that it lets in."""

    port: int
    folder: Path
    user: str
    address: str = "127.0.0.1"

    @property
    def key(self) -> Path:
        return self.folder / "id"

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


def need_sshd() -> str:
    """Return the server's program, or skip."""
    if not os.access(SSHD, os.X_OK):
        pytest.skip("openssh-server is not installed")
    return SSHD


def make_key(path: Path, *options: str) -> Path:
    """Make a key pair as a person does."""
    path.unlink(missing_ok=True)
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", *options, "-f", str(path)]
    subprocess.run(argv, check=True, timeout=20, stdin=subprocess.DEVNULL)
    return path


def write_config(folder: Path, *, port: int = 0, address: str = "127.0.0.1", more: str = "") -> Path:
    """Write the keys and the configuration of a server; keys that are there are kept."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in ("host_key", "id"):
        if not (folder / name).exists():
            make_key(folder / name)
    shutil.copy(folder / "id.pub", folder / "authorized_keys")
    config = folder / "sshd_config"
    environment = "" if os.geteuid() == 0 else f" PATH={_fake_sudo(folder / 'bin')}:{os.defpath}"
    config.write_text(
        CONFIG.format(port=port or 22, address=address, folder=folder, more=more, environment=environment)
    )
    return config


def _fake_sudo(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    sudo = folder / "sudo"
    sudo.write_text(SUDO)
    sudo.chmod(0o755)
    return folder


@contextmanager
def run_sshd(folder: Path, *, address: str = "127.0.0.1", port: int = 0, more: str = "") -> Iterator[Sshd]:
    """Run a server until the block ends. ``port``: 0 for a free one."""
    program = need_sshd()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where root's server locks its unprivileged part in
    port = port or free_port(address)
    config = write_config(folder, port=port, address=address, more=more)
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [*ENDS_WITH_US, program, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_for_greeting(server, address, port, folder / "log")
        yield Sshd(port, folder, getpass.getuser(), address)
    finally:
        server.terminate()
        server.wait(10)


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port of a loopback address that nobody has now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _wait_for_greeting(server: subprocess.Popen[bytes], address: str, port: int, log: Path) -> None:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up:
        assert server.poll() is None, log.read_text()
        try:
            with socket.create_connection((address, port), 1) as connection:
                assert connection.recv(4) == b"SSH-"
                return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"sshd does not greet: {log.read_text()}")
