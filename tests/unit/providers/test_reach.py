"""How machines are reached outlives the process that made the cluster, but for the password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from providers.contracts import Machine
from providers.reach import MACHINES, Reach, connected, read_reach, write_reach
from providers.ssh.access import AGENT, KEY, Access, Agent, Endpoint, Jump, KeyFile
from upload.errors import ProviderError

HOSTS = (
    Machine("cp1", "control-plane", Endpoint("192.0.2.11", 2222, "ssh-ed25519 AAAA"), ("10.0.0.11",)),
    Machine("w1", "worker", Endpoint("2001:db8::12")),
)


@pytest.mark.parametrize(
    "access",
    [
        pytest.param(Access("root", KeyFile(Path("/k"))), id="key"),
        pytest.param(Access("ubuntu", Agent(Path("/a")), Jump(Endpoint("gate", 22), "me"), "hush-hush"), id="all"),
    ],
)
def test_what_is_written_is_read_again(access: Access, tmp_path: Path) -> None:
    path = write_reach(tmp_path, Reach(access, HOSTS))

    assert read_reach(path, {"E2E_SUDO_PASSWORD": access.sudo_password}) == Reach(access, HOSTS)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hush-hush" not in path.read_text()
    assert [entry.name for entry in tmp_path.iterdir()] == [MACHINES]


@pytest.mark.parametrize(
    ("of_then", "given", "used"),
    [
        pytest.param(KeyFile(Path("/k")), {}, KeyFile(Path("/k")), id="the key of then"),
        pytest.param(KeyFile(Path("/k")), {KEY: "/new"}, KeyFile(Path("/new")), id="a key of now"),
        pytest.param(KeyFile(Path("/k")), {AGENT: "/b"}, KeyFile(Path("/k")), id="an agent is no other key"),
        pytest.param(Agent(Path("/a")), {AGENT: "/b"}, Agent(Path("/b")), id="the agent of now"),
        pytest.param(Agent(Path("/a")), {}, Agent(Path("/a")), id="the agent of then"),
        pytest.param(Agent(Path("/a")), {AGENT: "/b", KEY: "/new"}, KeyFile(Path("/new")), id="a key before an agent"),
    ],
)
def test_a_key_that_is_given_now_opens_the_machines(
    of_then: KeyFile | Agent, given: dict[str, str], used: KeyFile | Agent, tmp_path: Path
) -> None:
    path = write_reach(tmp_path, Reach(Access("root", of_then), HOSTS))

    assert read_reach(path, given).access.identity == used


def test_a_key_that_was_made_for_the_run_is_the_only_one(tmp_path: Path) -> None:
    made = KeyFile(tmp_path / "ssh_key")
    path = write_reach(tmp_path, Reach(Access("root", made), HOSTS))

    assert read_reach(path, {KEY: "/new", AGENT: "/b"}).access.identity == made


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"user": 1}', "\x00"])
def test_a_broken_file_is_told_by_its_name(text: str, tmp_path: Path) -> None:
    (tmp_path / MACHINES).write_text(text)

    with pytest.raises(ProviderError, match=MACHINES):
        read_reach(tmp_path / MACHINES, {})


def test_nodes_are_given_by_name(tmp_path: Path) -> None:
    path = write_reach(tmp_path, Reach(Access("root", KeyFile(Path("/k"))), HOSTS))

    with connected(read_reach(path, {}), run="r-1", folder=tmp_path) as nodes:
        seen = {node.name: (node.role, node.addresses) for node in nodes}

    assert seen == {"cp1": ("control-plane", ("10.0.0.11",)), "w1": ("worker", ("2001:db8::12",))}
    assert json.loads(path.read_text())["jump"] is None
