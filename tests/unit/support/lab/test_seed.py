from __future__ import annotations

import io
import tarfile
from ipaddress import IPv4Address
from pathlib import Path

from tests.support.lab.keys import known_hosts, make_key, ssh_config
from tests.support.lab.seed import Seed
from tests.support.lab.values import LabHost, LabNames

SEED = Seed("h1", IPv4Address("10.66.3.11"), 24, IPv4Address("10.66.3.1"), "ssh-ed25519 AAAA", b"private")


def test_a_seed_is_what_one_host_has_alone() -> None:
    with tarfile.open(fileobj=io.BytesIO(SEED.tar())) as tar:
        found = {
            member.name: (
                member.mode,
                member.uid,
                (file.read().decode() if (file := tar.extractfile(member)) else None),
            )
            for member in tar
        }

    assert found == {
        "etc/hostname": (0o644, 0, "h1\n"),
        "etc/hosts": (0o644, 0, "127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.66.3.11 h1\n"),
        "etc/resolv.conf": (0o644, 0, "nameserver 10.66.3.1\n"),
        "etc/lab/address": (0o644, 0, "LAB_ADDRESS=10.66.3.11/24\nLAB_GATEWAY=10.66.3.1\n"),
        "etc/ssh/ssh_host_ed25519_key": (0o600, 0, "private"),
        "root/.ssh": (0o700, 0, None),
        "root/.ssh/authorized_keys": (0o600, 0, "ssh-ed25519 AAAA\n"),
        "home/admin/.ssh": (0o700, 1000, None),
        "home/admin/.ssh/authorized_keys": (0o600, 1000, "ssh-ed25519 AAAA\n"),
    }


def test_ssh_is_told_which_key_a_host_has() -> None:
    host = LabHost("h1", "10.66.3.11", "admin", Path("/labs/ssh_key"), "ssh-ed25519 AAAA")

    assert known_hosts((host,)) == "10.66.3.11 ssh-ed25519 AAAA\n"
    assert ssh_config((host,), Path("/labs/known")) == (
        "Host h1\n  HostName 10.66.3.11\n  User admin\n  IdentityFile /labs/ssh_key\n  IdentitiesOnly yes\n"
        "  UserKnownHostsFile /labs/known\n  StrictHostKeyChecking yes\n  BatchMode yes\n  ConnectTimeout 5\n"
        "  LogLevel ERROR\n"
    )


def test_a_new_key_replaces_the_old_one(tmp_path: Path) -> None:
    keys = {make_key(tmp_path / "key") for _ in range(2)}

    assert len(keys) == 2
    assert {key.split()[0] for key in keys} == {"ssh-ed25519"}
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_one_number_names_everything_of_a_lab() -> None:
    names = LabNames(3)

    assert (names.lab, names.machine("h1"), names.wire("h1")) == ("e2elab3", "e2elab3-h1", "vb-e2elab3-h1")
    assert (str(names.network), str(names.gateway), str(names.address(0))) == (
        "10.66.3.0/24",
        "10.66.3.1",
        "10.66.3.11",
    )
    assert names.bridge_mac == "02:e2:e1:ab:00:03"
