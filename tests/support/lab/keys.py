"""SSH keys: one for whoever logs in to a lab, one for each host at each new disk."""

from __future__ import annotations

from pathlib import Path

from tests.support.lab.command import run
from tests.support.lab.values import LabHost


def make_key(file: Path) -> str:
    """Write a new private key, replacing one that is there, and return the public one: ``ssh-ed25519 AAAA…``."""
    public = file.with_name(f"{file.name}.pub")
    for old in (file, public):
        old.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file))
    return public.read_text(encoding="ascii").strip()


def known_hosts(hosts: tuple[LabHost, ...]) -> str:
    """Return the text of a ``known_hosts`` file."""
    return "".join(f"{host.address} {host.host_key}\n" for host in hosts)


def ssh_config(hosts: tuple[LabHost, ...], known: Path) -> str:
    """Return a client's configuration: ``ssh -F FILE NAME`` reaches a host, and no other key is tried or learnt."""
    blocks = [
        f"Host {host.name}\n"
        f"  HostName {host.address}\n"
        f"  User {host.user}\n"
        f"  IdentityFile {host.key_file}\n"
        "  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {known}\n"
        "  StrictHostKeyChecking yes\n"
        "  BatchMode yes\n"
        "  ConnectTimeout 5\n"
        "  LogLevel ERROR\n"
        for host in hosts
    ]
    return "".join(blocks)
