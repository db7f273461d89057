"""Faults before anything is changed: machines that are not reached, not fit, or somebody else's. They stay as they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import ClusterSpec
from providers.hosts.preflight import UnfitMachines
from providers.ssh.access import KEY
from tests.hosts.clusters import differences, lab_context, lab_harness, lab_provider, states, write_config
from tests.hosts.faults import BreakAt, Broken
from tests.support.lab import Lab, LabHost
from tests.support.lab.fixtures import FreshHosts
from tests.support.lab.keys import make_key

pytestmark = [pytest.mark.hosts, pytest.mark.timeout(600)]

SPEC = ClusterSpec(nodes=1)
# Debian's own file, as an older release has it
OLD_SYSTEM = (
    r"""sed -i 's/^VERSION_ID=.*/VERSION_ID="11"/; s/^PRETTY_NAME=.*/PRETTY_NAME="Debian 11"/' /usr/lib/os-release"""
)
TAKE_PORT = "systemd-run --quiet --unit squatter systemd-socket-activate -l 6443 cat"


@dataclass(frozen=True)
class Unreached:
    """Why no machine lets us in: what is given instead, and what is said of each; ``{key}`` is another key's file."""

    what: str
    mend: str
    more: dict[str, Any] = field(default_factory=dict)
    host: Callable[[LabHost, str], LabHost] = lambda host, _other: host


WAYS = {
    "wrong-key": Unreached(
        "{address} lets nobody in as root with the key {key}: another user, or another key",
        "ssh-copy-id -i {key}.pub -p 22 root@{address}",
    ),
    "wrong-user": Unreached(
        "{address} lets nobody in as nobody with the key {known}: another user, or another key",
        "ssh-copy-id -i {known}.pub -p 22 nobody@{address}",
        more={"user": "nobody"},
    ),
    "host-key-changed": Unreached(
        "the host key of {address} is not the given one: another machine, one made anew, or somebody in between",
        "ssh-keyscan -p 22 {address}",
        host=lambda host, other: replace(host, host_key=other),
    ),
    "port-closed": Unreached("port 2222 of {address} is closed", "nc -vz -w 5 {address} 2222", more={"port": 2222}),
}


@pytest.mark.parametrize("way", [pytest.param(way, id=name) for name, way in WAYS.items()])
def test_machines_that_are_not_reached_are_told_with_what_mends_it(
    way: Unreached, host_lab: Lab, shared_hosts: tuple[LabHost, ...], tmp_path: Path
) -> None:
    public = make_key(tmp_path / "other")
    key = tmp_path / "other" if way is WAYS["wrong-key"] else shared_hosts[0].key_file
    given = [way.host(host, public) for host in shared_hosts]
    port = way.more.get("port", 22)
    machines = [{"name": h.name, "address": h.address, "host_key": h.host_key, "port": port} for h in given]
    provider = lab_provider(given, machines=machines, user=way.more.get("user", "root"))
    context = lab_context(tmp_path / "c1", shared_hosts)
    context = replace(context, variables={**context.variables, KEY: str(key)})

    with pytest.raises(UnfitMachines) as caught:
        provider.up(SPEC, context)

    lines = ["2 machines cannot be used"]
    for host in shared_hosts:
        names = {"address": host.address, "key": tmp_path / "other", "known": host.key_file}
        lines += [f"  {host.name}: {way.what.format(**names)}", f"      {way.mend.format(**names)}"]
    assert str(caught.value).splitlines() == lines
    provider.down(context)
    assert provider.leftovers(context) == ()


@pytest.mark.slow
@pytest.mark.full
def test_a_host_that_accepts_and_says_nothing_is_told(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts)
    host_lab.freeze("h2", frozen=True)
    try:
        with pytest.raises(UnfitMachines) as caught:
            provider.up(SPEC, context)
        provider.down(context)
    finally:
        host_lab.freeze("h2", frozen=False)

    assert str(caught.value).splitlines() == [
        "1 machine cannot be used",
        f"  h2: {hosts[1].address} accepts the connection and then says nothing during the greeting for 20 s",
        f"      ssh -i {hosts[1].key_file} root@{hosts[1].address} -v",
    ]
    assert differences(before, states(host_lab, hosts)) == []


@pytest.mark.slow
def test_an_old_system_and_a_port_that_is_taken_are_told_together(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    """The way that a person goes: by the command, which ends with the provider's code and leaves nothing to take down."""
    hosts = fresh_hosts(1)
    host_lab.run("h1", f"{OLD_SYSTEM}; {TAKE_PORT}")
    before = states(host_lab, hosts)
    harness = lab_harness(tmp_path, hosts)

    done = harness.e2e("up", write_config(tmp_path, hosts, nodes=0), "--log-format", "plain", timeout_s=300)

    told = [line.partition("Z ")[2] for line in done.err.splitlines()]
    told = [re.sub(r"\(pid \d+\)", "(pid N)", line) for line in told]
    start = told.index("1 machine cannot be used")
    assert told[start : start + 5] == [
        "1 machine cannot be used",
        "  h1: it runs Debian 11",
        "      install one of Ubuntu 22.04, Ubuntu 24.04, Debian 12",
        "  h1: port 6443 is taken by systemd-socket- (pid N)",
        "      ss -ltnp 'sport = :6443'; stop what listens",
    ]
    assert (done.code, "Traceback" in done.err, harness.state().clusters) == (3, False, {"c1": "gone"}), done.err
    assert differences(before, states(host_lab, hosts)) == []


@pytest.mark.slow
def test_a_second_run_is_refused_with_the_owner_and_the_age_of_the_first(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(1)
    before = states(host_lab, hosts)
    spec, provider = ClusterSpec(nodes=0), lab_provider(hosts)
    steps = BreakAt(at="Install the container runtime")
    first = replace(lab_context(tmp_path / "c1", hosts), steps=steps, owner="me@here")
    second = replace(lab_context(tmp_path / "c2", hosts), run="ci-kubernetes-e2e-other-20260102000000")
    with pytest.raises(Broken):
        provider.up(spec, first)
    taken = states(host_lab, hosts)

    with pytest.raises(UnfitMachines) as caught:
        provider.up(spec, second)
    provider.down(second)

    said = [re.sub(r"[0-9]+ min|until [^)]*", "…", line) for line in str(caught.value).splitlines()]
    assert said == [
        "1 machine cannot be used",
        f"  h1: run {first.run} of me@here has it since … (…)",
        f"      e2e down {first.run}   (where it was started), or wait, or use another machine",
    ]
    assert differences(taken, states(host_lab, hosts)) == [], "the second run touched the first one's machine"
    provider.down(first)
    assert differences(before, states(host_lab, hosts)) == []
