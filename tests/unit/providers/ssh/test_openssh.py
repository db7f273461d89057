from __future__ import annotations

from pathlib import Path

import pytest

from providers.contracts import Machine
from providers.ssh.access import Access, Agent, Endpoint, Jump, KeyFile
from providers.ssh.hostkeys import HostKeys
from providers.ssh.openssh import client_config, expected_keys
from upload.errors import UsageError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
MACHINES = (
    Machine("cp1", "control-plane", Endpoint("192.0.2.11")),
    Machine("w1", "worker", Endpoint("2001:db8::12", 2222)),
)
FOR_ALL = """\
Host *
  StrictHostKeyChecking yes
  GlobalKnownHostsFile /dev/null
  PreferredAuthentications publickey
  IdentitiesOnly {only}
  ServerAliveInterval 10
  ConnectTimeout 20
  UserKnownHostsFile "/s/a b/known"
"""


def test_machines_are_reached_with_a_key_file() -> None:
    said = client_config(Access("ubuntu", KeyFile(Path("/k/100%"))), MACHINES, Path("/s/a b/known"))

    assert said == FOR_ALL.format(only="yes") + (
        '  IdentityFile "/k/100%%"\n'
        "Host cp1\n  HostName 192.0.2.11\n  Port 22\n  User ubuntu\n"
        "Host w1\n  HostName 2001:db8::12\n  Port 2222\n  User ubuntu\n"
    )


def test_machines_are_reached_through_a_jump_host_with_the_agents_keys() -> None:
    jump = Jump(Endpoint("jump.example.com", 2200), "me")
    said = client_config(Access("root", Agent(Path("/agent")), jump), MACHINES[:1], Path("/s/a b/known"))

    assert said == FOR_ALL.format(only="no") + (
        "Host _jump\n  HostName jump.example.com\n  Port 2200\n  User me\n"
        "Host cp1\n  HostName 192.0.2.11\n  Port 22\n  User root\n  ProxyJump _jump\n"
    )


@pytest.mark.parametrize("path", ['/a"b', "/a\nHost *", "/a\\b"])
def test_a_path_that_the_file_cannot_hold_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="ssh cannot use the path"):
        client_config(Access("root", KeyFile(Path(path))), (), Path("/known"))


def test_expected_keys_are_those_given_and_those_pinned(tmp_path: Path) -> None:
    (tmp_path / "pins").write_text(f"[2001:db8::12]:2222 {KEY}\n192.0.2.99 {KEY}\n")
    given, pinned, never = Endpoint("192.0.2.11", host_key=f"{KEY} a comment"), MACHINES[1].endpoint, Endpoint("x")

    said = expected_keys(HostKeys(tmp_path / "pins"), (given, pinned, never))

    assert said == f"192.0.2.11 {KEY}\n[2001:db8::12]:2222 {KEY}\n"
