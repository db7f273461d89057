"""Machines of a config: checked where they are read, shared out by their order, opened by what the environment names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from providers import registry
from providers.contracts import ClusterSpec, Machine
from providers.machines.ubuntu import UbuntuMachines, UbuntuSettings
from providers.ssh.access import Access, Agent, Endpoint, Jump, KeyFile
from providers.testing import FolderBinaries, make_context
from upload.errors import UsageError

THREE: list[dict[str, Any]] = [
    {"name": "a", "address": "192.0.2.1"},
    {"name": "b", "address": "192.0.2.2", "port": 2222, "host_key": "ssh-ed25519 AAAA", "internal": "10.0.0.2"},
    {"name": "c", "address": "2001:db8::3"},
]


def maker(**section: Any) -> UbuntuMachines:
    return UbuntuMachines(UbuntuSettings.model_validate({"machines": THREE, **section}))


def context(tmp_path: Path, **variables: str) -> Any:
    from dataclasses import replace

    return replace(make_context(tmp_path / "c1", FolderBinaries(tmp_path, "v1.36.3")), variables=variables)


def test_the_first_machines_are_control_planes(tmp_path: Path) -> None:
    assert maker().ensure(ClusterSpec(control_planes=1, nodes=2), context(tmp_path)) == (
        Machine("a", "control-plane", Endpoint("192.0.2.1")),
        Machine("b", "worker", Endpoint("192.0.2.2", 2222, "ssh-ed25519 AAAA"), ("10.0.0.2",)),
        Machine("c", "worker", Endpoint("2001:db8::3")),
    )


@pytest.mark.parametrize(
    ("shape", "refused"),
    [
        pytest.param((1, 2), {}, id="all"),
        pytest.param((1, 0), {}, id="fewer"),
        pytest.param((1, 3), {"nodes": "at most 2, for 3 machines"}, id="one too many"),
        pytest.param((5, 0), {"nodes": "at most 0, for 3 machines"}, id="control planes alone"),
    ],
)
def test_a_cluster_has_no_more_nodes_than_machines(shape: tuple[int, int], refused: dict[str, str]) -> None:
    provider: Any = registry.make_provider("ubuntu", {"machines": THREE})

    assert provider.refusals(ClusterSpec(control_planes=shape[0], nodes=shape[1])) == refused


def test_programs_of_machines_are_named_so_that_a_checkout_is_built_before_up() -> None:
    provider: Any = registry.make_provider("ubuntu", {"machines": THREE})

    assert provider.programs(ClusterSpec()) == ("kubeadm", "kubelet", "kubectl")


@pytest.mark.parametrize(
    ("section", "variables", "access"),
    [
        pytest.param({}, {"E2E_SSH_IDENTITY": "/k"}, Access("root", KeyFile(Path("/k"))), id="key"),
        pytest.param({"user": "u"}, {"SSH_AUTH_SOCK": "/a"}, Access("u", Agent(Path("/a"))), id="agent"),
        pytest.param(
            {"user": "u", "jump": {"address": "gate", "user": "g"}},
            {"E2E_SSH_IDENTITY": "/k", "SSH_AUTH_SOCK": "/a", "E2E_SUDO_PASSWORD": "hush"},
            Access("u", KeyFile(Path("/k")), Jump(Endpoint("gate"), "g"), "hush"),
            id="a key file comes before the agent",
        ),
    ],
)
def test_what_opens_them_comes_from_the_environment(
    section: dict[str, Any], variables: dict[str, str], access: Access, tmp_path: Path
) -> None:
    assert maker(**section).access(context(tmp_path, **variables)) == access


def test_without_any_key_the_hint_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        maker().access(context(tmp_path))

    assert caught.value.hint == "export E2E_SSH_IDENTITY=/path/to/private-key   or: eval $(ssh-agent) && ssh-add"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"machines": []}, "at least 1"),
        ({"machines": [{"name": "A", "address": "a"}]}, "a node's name"),
        ({"machines": [{"name": "a", "address": "-oProxyCommand=x"}]}, "a host name or an address"),
        ({"machines": [{"name": "a", "address": "[::1]"}]}, "a host name or an address"),
        ({"machines": [{"name": "a", "address": "host.example"}]}, "expected an IP address, or internal:"),
        ({"machines": [{"name": "a", "address": "x", "internal": "y"}]}, "expected an IP address"),
        ({"machines": [{"name": "a", "address": "x", "port": 0}]}, "greater than or equal to 1"),
        ({"machines": [THREE[0], {**THREE[1], "name": "a"}]}, "two machines have the name a"),
        ({"machines": [THREE[0], {"name": "b", "address": "192.0.2.1"}]}, "two machines have the address"),
        ({"user": "root; id"}, "a user's name"),
        ({"sudo_password": "x"}, "Extra inputs"),
    ],
    ids=lambda value: str(value)[:70] if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_refused(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        UbuntuSettings.model_validate({"machines": THREE, **section})

    assert said in str(caught.value)
