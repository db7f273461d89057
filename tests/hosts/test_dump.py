"""What real machines tell about a run: their journals, their pods' logs, their state, also when they are broken."""

from __future__ import annotations

import io
import json
import shlex
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import ClusterSpec, Deadline, Node
from providers.hosts.dump import LIMITS, Limits, dump_nodes
from providers.hosts.marker import put_mark
from providers.hosts.owner import Owner
from providers.nodes import fan_out
from providers.releases.sources import PINNED
from providers.ssh.access import Access, Endpoint, KeyFile, Patience
from providers.ssh.session import Ssh
from tests.hosts.clusters import lab_context, lab_provider
from tests.support.lab.fixtures import FreshHosts
from tests.support.lab.labs import Lab
from tests.support.lab.values import LabHost
from upload.errors import HarnessError

pytestmark = pytest.mark.hosts

NOW_S = int(time.time())
OWNER = Owner("ci-kubernetes-e2e-lab-20260102000000", "me@here", NOW_S, NOW_S + 3600)
TOKEN = "abcdef.0123456789abcdef"
ALWAYS = (
    "owner.json", "machine.txt", "memory.txt", "disk.txt", "units.txt", "network.txt", "packet-rules.txt",
    "processes.txt", "kubernetes-files.txt", "containers.txt", "kubelet.log", "containerd.log", "kernel.log",
    "dmesg.log", "journal.log",
)  # fmt: skip
CLUSTER = f"""
cat > /etc/systemd/system/kubelet.service <<END
[Service]
ExecStart=/bin/sh -c 'echo joins with {TOKEN}; exec sleep 605'
END
systemctl daemon-reload
systemctl start kubelet
mkdir -p /etc/kubernetes/pki
echo secret-of-a-file > /etc/kubernetes/pki/ca.key
ln -s /etc/kubernetes/pki/ca.key /var/log/syslog.link
touch -d @{NOW_S - 90000} /var/log/syslog.old
iptables -t nat -N KUBE-SERVICES
sh -c 'exec sleep 606 # secret-of-a-process' &
cd /var/log
echo of syslog > syslog
echo of yesterday | gzip > syslog.2.gz
echo of cloud-init > cloud-init-output.log
mkdir -p pods/ns_web-0_u1/c pods/ns_web-0_u2/c pods/kube-system_etcd-h1_u3/etcd
cd pods
ln -s /etc/kubernetes/pki ns_web-0_u2/pki
ln -s /etc/kubernetes/pki/ca.key ns_web-0_u2/c/0.log
echo first > ns_web-0_u1/c/0.log
echo second > ns_web-0_u1/c/1.log
echo rotated | gzip > ns_web-0_u1/c/1.log.20261123-080000.gz
head -c 300000 /dev/urandom > ns_web-0_u1/c/2.log
echo of etcd > kube-system_etcd-h1_u3/etcd/0.log
mkfifo ns_web-0_u1/c/fifo
echo odd > "$(printf 'ns_web-0_u2/c/a\\nb \\033\\377 ')"
echo broken > ns_web-0_u2/c/3.log.gz
"""


def within(seconds: float = 60.0) -> Deadline:
    return Deadline.after(seconds, "the test")


@contextmanager
def reached(folder: Path, *hosts: LabHost, names: tuple[str, ...] = ()) -> Iterator[list[Node]]:
    """Reach hosts; more names than hosts make several nodes of each."""
    first = hosts[0]
    patience = Patience(connect_s=5.0, keepalive_s=1.0, misses=2)
    with Ssh(
        Access(first.user, KeyFile(first.key_file)), pins=folder / "pins", run=OWNER.run, patience=patience
    ) as ssh:
        nodes: list[Node] = []
        for number, name in enumerate(names or [host.name for host in hosts]):
            host = hosts[number % len(hosts)]
            nodes.append(ssh.node(name, "worker", Endpoint(host.address, host_key=host.host_key)))
        yield nodes


@dataclass(frozen=True)
class Dumped:
    """What one machine's folder holds."""

    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "dump.json").read_text())
        return found

    @property
    def problems(self) -> dict[str, str]:
        return {problem["what"]: problem["error"] for problem in self.report["problems"]}

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(errors="replace")

    def names(self) -> set[str]:
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}


def dumped(dest: Path, nodes: list[Node], *, limits: Limits = LIMITS, seconds: float = 60.0) -> dict[str, Dumped]:
    taken = dump_nodes(nodes, dest, run=OWNER.run, deadline=within(seconds), limits=limits)
    return {each.node: Dumped(dest / "nodes" / each.node) for each in taken}


def mark(*nodes: Node) -> None:
    for node in nodes:
        put_mark(node, OWNER, deadline=within())


def test_a_machine_tells_its_journals_its_pods_logs_and_its_state_and_no_secret(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    """As a user who needs sudo, which writes the command lines of everybody to the journal."""
    (host,) = fresh_hosts(1, user="admin")
    with reached(tmp_path, host) as nodes:
        mark(*nodes)
        host_lab.run(host.name, f"sudo sh -euc {shlex.quote(CLUSTER)} >/dev/null 2>&1")
        found = dumped(tmp_path / "d", nodes)[host.name]

    pod = "pods/ns_web-0_u1/c"
    odd = next(name for name in found.names() if "a_b" in name)
    assert found.names() == {
        *ALWAYS, "dump.json", "dump.log", "cloud-init-output.log", "syslog.log", "syslog.2.log", odd,
        f"{pod}/0.log", f"{pod}/1.log", f"{pod}/1.log.20261123-080000.log", f"{pod}/2.log",
        "pods/ns_web-0_u2/c/3.log", "pods/kube-system_etcd-h1_u3/etcd/0.log",
    }  # fmt: skip
    assert found.problems == {"pods/ns_web-0_u2/c/3.log": "its command ended with code 1"}
    assert [found.text(name) for name in (f"{pod}/0.log", f"{pod}/1.log.20261123-080000.log", "syslog.2.log", odd)] == [
        "first\n",
        "rotated\n",
        "of yesterday\n",
        "odd\n",
    ]
    assert (found.folder / f"{pod}/2.log").stat().st_size == 300_000
    assert json.loads(found.text("owner.json"))["run"] == OWNER.run
    assert f"joins with {'*' * len(TOKEN)}\n" in found.text("kubelet.log")
    assert "Started kubelet.service" in found.text("journal.log")
    assert "Id=kubelet.service" in found.text("units.txt")
    assert ":KUBE-SERVICES" in found.text("packet-rules.txt")
    assert host.address in found.text("network.txt")
    assert "CONTAINER" in found.text("containers.txt")
    assert "/etc/kubernetes/pki" in found.text("kubernetes-files.txt")
    for name in found.names():
        for secret in ("secret-of-a-file", "secret-of-a-process", TOKEN):
            assert secret not in found.text(name), name


def test_logs_beyond_the_limits_lose_their_beginning_and_that_is_told(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    (host,) = fresh_hosts(1)
    script = """
        mkdir -p /var/log/pods/p/c; cd /var/log/pods/p/c
        seq 100000 > 0.log; seq 100000 | gzip > 1.log.gz; seq 100000 > 2.log; seq 5 > 3.log
        touch -d '1 minute ago' 0.log; touch -d '2 minutes ago' 1.log.gz; touch -d '3 minutes ago' 2.log; touch -d '4 minutes ago' 3.log
        seq 100000 | systemd-cat --identifier many
    """
    host_lab.run(host.name, script)
    with reached(tmp_path, host) as nodes:
        mark(*nodes)
        found = dumped(tmp_path / "d", nodes, limits=Limits(file_bytes=50_000, files=17))[host.name]
        little = dumped(tmp_path / "e", nodes, limits=Limits(file_bytes=50_000, node_bytes=200_000))[host.name]

    whole = len("".join(f"{n}\n" for n in range(1, 100_001)))
    cut = {file["file"]: (file["kept_bytes"], file["total_bytes"]) for file in found.report["cut"]}
    assert {name: cut[name] for name in cut if name.startswith("pods/")} == {
        f"pods/p/c/{n}.log": (50_000, whole) for n in (0, 1, 2)
    }
    assert found.text("pods/p/c/1.log").endswith("\n99999\n100000\n")
    assert "many[" in found.text("journal.log")
    assert cut["journal.log"][0] == 50_000 < cut["journal.log"][1]
    assert f"pods/p/c/0.log: the last 50000 of {whole} bytes\n" in found.text("dump.log")
    assert found.problems == {"files": "1 more than 17 are left out"}
    kept = sum(file["kept_bytes"] for file in little.report["files"])
    assert kept == 200_000
    assert little.text("dump.log").count("the last 0 of") >= 1


@pytest.mark.full
@pytest.mark.slow
def test_machines_without_our_mark_and_broken_ones_cost_the_others_nothing(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    """Right after a machine was taken nothing is installed yet; another one is cut off, one hangs, one is off."""
    hosts = fresh_hosts(4)
    with reached(tmp_path, *hosts) as nodes:
        fine, somebodys, cut_off, frozen = nodes
        mark(fine, cut_off, frozen)
        put_mark(somebodys, replace(OWNER, run=f"{OWNER.run}0"), deadline=within())
        host_lab.plug(cut_off.name, plugged=False)
        host_lab.freeze(frozen.name, frozen=True)
        broken = dumped(tmp_path / "d", nodes)
        host_lab.freeze(frozen.name, frozen=False)
        host_lab.stop(frozen.name)
        off = dumped(tmp_path / "e", nodes[2:])

    assert {*ALWAYS} - {"containerd.log", "kubelet.log"} < broken[fine.name].names()
    assert broken[fine.name].problems == {}
    said = {name: found.problems for name, found in broken.items() if name != fine.name}
    assert said["h2"] == {"machine": f"it does not carry the mark of {OWNER.run}, so nothing of it is read"}
    assert [broken[name].names() for name in said] == [{"dump.json", "dump.log"}] * 3
    for problems in (said["h3"], said["h4"], off["h3"].problems, off["h4"].problems):
        assert list(problems) == ["machine"]
        assert "h3: " in problems["machine"] or "h4: " in problems["machine"]


def test_a_machine_that_is_lost_in_the_middle_keeps_what_came(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    (host,) = fresh_hosts(1)
    # journalctl says what it knows only when all of it is read: a reader that never ends
    host_lab.run(
        host.name, "printf '#!/bin/sh\\nsleep 60\\n' > /usr/local/bin/journalctl; chmod +x /usr/local/bin/journalctl"
    )
    with reached(tmp_path, host) as nodes:
        mark(*nodes)
        cut = threading.Timer(3.0, host_lab.plug, [host.name], {"plugged": False})
        cut.start()
        found = dumped(tmp_path / "d", nodes)[host.name]
        cut.join()

    assert found.text("machine.txt").startswith("$ uname -a\nLinux ")
    assert [file["file"] for file in found.report["cut"]] == ["kubelet.log"]
    assert list(found.problems) == ["machine"]


@pytest.mark.full
@pytest.mark.slow
def test_a_machine_that_hangs_costs_its_own_time_only(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(2)
    host_lab.run(hosts[0].name, "printf '#!/bin/sh\\nsleep 60\\n' > /usr/local/bin/ps; chmod +x /usr/local/bin/ps")
    with reached(tmp_path, *hosts) as nodes:
        mark(*nodes)
        found = dumped(tmp_path / "d", nodes, seconds=12.0)

    assert list(found["h1"].problems) == ["machine"]
    assert "was not done after" in found["h1"].problems["machine"]
    assert found["h2"].problems == {}


@pytest.mark.full
@pytest.mark.slow
def test_25_machines_are_dumped_at_once(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(2)
    names = tuple(f"n{number}" for number in range(25))
    for host in hosts:
        host_lab.run(host.name, "mkdir -p /var/log/pods/p/c; head -c 20000000 /dev/urandom > /var/log/pods/p/c/0.log")
    with reached(tmp_path, *hosts, names=names) as nodes:
        mark(*nodes[:2])
        # an SSH server lets ten greet at once, and here there are two for all of them
        fan_out(nodes, lambda node: node.run(("true",), deadline=within()), what="greeting", deadline=within(), limit=8)
        found = dumped(tmp_path / "d", nodes, limits=Limits(file_bytes=1_000_000))

    assert {name: each.problems for name, each in found.items()} == {name: {} for name in names}
    assert {(each.folder / "pods/p/c/0.log").stat().st_size for each in found.values()} == {1_000_000}


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_cluster_whose_api_server_and_worker_are_dead_tells_why(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(2)
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts)
    provider.up(ClusterSpec(nodes=1), context)
    host_lab.run("h1", "systemctl stop kubelet; pkill -KILL -x kube-apiserver")
    host_lab.plug("h2", plugged=False)
    provider.dump(context, tmp_path / "d")
    host_lab.plug("h2", plugged=True)
    host_lab.wait("h2")
    provider.down(context)

    metadata = json.loads((tmp_path / "d" / "metadata.json").read_text())
    problems = {problem["what"]: problem["error"] for problem in metadata["problems"]}
    logs = {name.split("/")[-2] for name in metadata["logs"] if name.startswith("nodes/h1/pods/")}
    assert set(problems) == {"nodes/h2/machine", "API objects"}
    assert problems["nodes/h2/machine"].startswith("h2: ")
    assert logs >= {"kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler", "kube-proxy"}
    assert "nodes/h1/kubelet.log" in metadata["logs"]
    assert metadata["cut"] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_up_that_failed_leaves_machines_that_can_tell(fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(1)
    with tarfile.open(tmp_path / "images.tar", "w") as tar:  # what else is missing is told once kubeadm is there
        manifest = json.dumps([{"RepoTags": [f"registry.example/kube-apiserver:{PINNED}"]}]).encode()
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(manifest)
        tar.addfile(entry, io.BytesIO(manifest))
    provider = lab_provider(hosts)
    context = lab_context(tmp_path / "c1", hosts, E2E_IMAGES=str(tmp_path / "images.tar"))
    with pytest.raises(HarnessError, match=r"images\.tar lacks"):
        provider.up(ClusterSpec(nodes=0), context)
    provider.dump(context, tmp_path / "d")
    provider.down(context)

    found = Dumped(tmp_path / "d" / "nodes" / "h1")
    assert found.problems == {}
    assert set(ALWAYS) <= found.names()
    assert "unit\tcontainerd" in found.text("changes.log") or "restart\tcontainerd" in found.text("changes.log")
