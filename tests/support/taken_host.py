"""A copy of this machine that a run of ours takes, and what it is like."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.contracts import Deadline, Node
from providers.hosts.marker import Marker
from providers.hosts.owner import Owner
from providers.hosts.preflight import Wanted
from providers.hosts.taking import take
from providers.ssh.access import Access, Endpoint, KeyFile
from providers.ssh.session import Ssh
from tests.support.copied_host import CopiedHost

NOW_S = 1_795_000_000
JOB = "ci-kubernetes-e2e-lab"
OURS = Owner(f"{JOB}-20260102000000", "me@here", NOW_S, NOW_S + 3600)
# a copy has no systemd, shares this machine's id, and lacks what this machine lacks
WANTED = Wanted(
    ignored=frozenset({"init", "machine-id", "programs", "os", "modules", "sysctls", "disk", "memory", "cores"})
)

# everything of a machine that a change may touch
SNAPSHOT = """
cd /
{ find etc mnt srv -xdev; find var/lib -xdev -maxdepth 2 ! -path 'var/lib/apt/*' ! -path 'var/lib/dpkg/*'; } | sort | tr '\\n' '\\0' | xargs -0 stat -c '%A %U %N' --
find etc -xdev -type f -print0 | sort -z | xargs -0 sha256sum --
dpkg-query -W
ip -o link | sed 's/ mtu .*//'
ip route
ip -6 route | grep -v ^fe80
ip6tables-save | grep -e ^-A -e '^:.* - '
iptables-save | grep -e ^-A -e '^:.* - '
cut -d ' ' -f 2 /proc/mounts
cat /proc/sys/net/ipv4/ip_forward
"""


@contextmanager
def reached(folder: Path, run: str, *hosts: CopiedHost) -> Iterator[list[Node]]:
    with Ssh(Access("root", KeyFile(hosts[0].key)), pins=folder / "pins", run=run) as ssh:
        nodes: list[Node] = []
        for number, host in enumerate(hosts, 1):
            nodes.append(ssh.node(f"w{number}", "worker", Endpoint("127.0.0.1", host.port)))
        yield nodes


def within(seconds: float = 60.0) -> Deadline:
    return Deadline.after(seconds, "the test")


def taken(nodes: list[Node], owner: Owner = OURS) -> Marker:
    return take(nodes, owner, deadline=within(), wanted=WANTED)["w1"]


def mark(host: CopiedHost) -> object:
    text = host.sh("cat /var/lib/federated-e2e/owner.json 2>/dev/null || true")
    return json.loads(text) if text else None
