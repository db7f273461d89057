"""How a person's ``ssh`` reaches a machine of a run: by files in the run's folder, which go when its cluster goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from e2e.lifecycle.folder import RunFolder, write_private
from providers.contracts import Machine
from providers.reach import KNOWN_HOSTS, MACHINES, Reach, read_reach
from providers.ssh.access import AGENT, Agent
from providers.ssh.hostkeys import HostKeys
from providers.ssh.openssh import client_config, expected_keys
from providers.wording import visible
from upload.errors import UsageError

CONFIG, KNOWN = "ssh_config", "ssh_known_hosts"


@dataclass(frozen=True, slots=True)
class Login:
    """The words that begin a call of ssh, the machine's name the last one, and its environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


def prepare_login(folder: RunFolder, node: str, variables: Mapping[str, str]) -> Login:
    """Lay out what ssh needs for all machines of a run, since somebody else may log in to another one meanwhile.

    Raises: UsageError for a run without machines, and for a machine that it has not.
    """
    place = _machines_of(folder)
    known = read_reach(place, variables)
    machine = _chosen(known, node, folder.name)
    pins = HostKeys(place.with_name(KNOWN_HOSTS))
    if not pins.expected(machine.endpoint):
        what = f"{folder.name} has never reached {node}, so that its host key is not known"
        raise UsageError(what, hint=f"e2e up, or host_key in the config: ssh-keyscan {machine.endpoint.host}")
    jump = known.access.jump
    endpoints = [*([jump.endpoint] if jump else []), *(each.endpoint for each in known.machines)]
    hosts, config = place.with_name(KNOWN), place.with_name(CONFIG)
    write_private(hosts, expected_keys(pins, endpoints).encode())
    write_private(config, client_config(known.access, known.machines, hosts).encode())
    identity = known.access.identity
    agent = {AGENT: str(identity.socket)} if isinstance(identity, Agent) else {}
    return Login(("ssh", "-F", str(config), node), {**agent, **variables})


def _machines_of(folder: RunFolder) -> Path:
    state = folder.read()
    for cluster in state.clusters:
        if (path := folder.cluster_folder(cluster) / MACHINES).exists():
            return path
    provider = visible(str(state.job.get("provider", {}).get("name", "?")))
    raise UsageError(
        f"{folder.name} has no machines to log in to: provider {provider}", hint=f"e2e shell {folder.name}"
    )


def _chosen(known: Reach, node: str, run: str) -> Machine:
    names = {machine.name: machine for machine in known.machines}
    if node not in names:
        raise UsageError(f"{run} has no machine {visible(node)}; there is {', '.join(names)}")
    return names[node]
