from __future__ import annotations

import pytest

from providers.contracts import Role
from providers.hosts.preflight import Machine, Problem, UnfitMachines, Wanted, check
from tests.unit.providers.hosts.recording import facts

UBUNTU = 'PRETTY_NAME="Ubuntu 24.04.1 LTS"\nNAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian'
SWAPS = "Filename Type Size Used Priority\n/dev/vda2 partition 2097148 0 -2\n/swap file 1 0 -3"
ETCD = 'LISTEN 0 4096 *:2379 *:* users:(("etcd",pid=77,fd=3))'
PROXY = "LISTEN 0 4096 *:8443 *:*"
TUNNEL = "UNCONN 0 0 0.0.0.0:14789 0.0.0.0:*"
DROP_IN = "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
KUBELET = "LISTEN 0 4096 127.0.0.1:10248 0.0.0.0:*"
EXTRA = "apt-get install --yes linux-modules-extra-$(uname -r)"


@pytest.mark.parametrize(
    "sections",
    [{}, {"os": UBUNTU}, {"os": UBUNTU.replace("24.04", "22.04")}, {"architecture": "aarch64"}],
    ids=["debian 12", "ubuntu 24.04", "ubuntu 22.04", "arm64"],
)
def test_a_supported_machine_has_no_problem(sections: dict[str, str]) -> None:
    assert check([Machine("cp1", "control-plane", facts(**sections))], Wanted(vxlan=14789, ports={"m": (8443,)})) == ()


@pytest.mark.parametrize(
    ("sections", "role", "expected"),
    [
        (
            {"os": UBUNTU.replace("24.04", "20.04")},
            "worker",
            [("os", "it runs Ubuntu 20.04.1 LTS", "install one of Ubuntu 22.04, Ubuntu 24.04, Debian 12")],
        ),
        (
            {"os": ""},
            "worker",
            [("os", "it runs an unknown system", "install one of Ubuntu 22.04, Ubuntu 24.04, Debian 12")],
        ),
        (
            {"architecture": "riscv64"},
            "worker",
            [("architecture", "its processor is riscv64", "use one of amd64, arm64")],
        ),
        ({"init": "sleep"}, "worker", [("init", "its first process is sleep, not systemd", "boot it with systemd")]),
        (
            {"missing": "ss\nmodprobe"},
            "worker",
            [
                ("programs", "ss is missing", "apt-get install --yes iproute2"),
                ("programs", "modprobe is missing", "apt-get install --yes kmod"),
            ],
        ),
        (
            {"audit": "The following packages are only half configured:\n containerd"},
            "worker",
            [
                (
                    "packages",
                    "dpkg: The following packages are only half configured:",
                    "dpkg --configure -a && apt-get --fix-broken install",
                )
            ],
        ),
        ({"cores": "1"}, "worker", []),
        ({"cores": "1"}, "control-plane", [("cores", "1 core, a control-plane needs 2", "give it more cores")]),
        ({"memory": "MemTotal: 1048576 kB"}, "worker", []),
        (
            {"memory": "MemTotal: 1048576 kB"},
            "control-plane",
            [("memory", "1024 MiB of memory, a control-plane needs 1700 MiB", "give it more memory")],
        ),
        (
            {"disk": "/dev/vda1 10 5 4194304 50% /"},
            "worker",
            [
                (
                    "disk",
                    "4096 MiB free in /var/lib, 5120 MiB are needed",
                    "apt-get clean; journalctl --vacuum-size=100M; or a larger disk",
                )
            ],
        ),
        (
            {"swaps": SWAPS},
            "worker",
            [("swap", "swap is on: /dev/vda2, /swap", r"swapoff -a && sed -i '/\sswap\s/s/^/#/' /etc/fstab")],
        ),
        (
            {"sysctls": "net/ipv4/ip_forward fixed 0\nfs/inotify/max_user_instances writable 64"},
            "worker",
            [
                ("sysctls", "net.ipv4.ip_forward cannot be changed", "mount -o remount,rw /proc/sys"),
                (
                    "sysctls",
                    "fs.inotify.max_user_instances is 64, kubelet and pods need 128",
                    "sysctl -w fs.inotify.max_user_instances=8192",
                ),
            ],
        ),
        (
            {"clock": "1795407014.4"},
            "worker",
            [
                (
                    "clock",
                    "its clock is 60 s ahead of ours: certificates would not be valid",
                    "timedatectl set-ntp true   (and look at: timedatectl timesync-status)",
                )
            ],
        ),
        (
            {"clock": "1795406948.3"},
            "worker",
            [
                (
                    "clock",
                    "its clock is 6 s behind ours: certificates would not be valid",
                    "timedatectl set-ntp true   (and look at: timedatectl timesync-status)",
                )
            ],
        ),
        ({"clock": "1795406949.1"}, "worker", []),
        ({"ports": ETCD}, "worker", []),
        (
            {"ports": f"{ETCD}\n{KUBELET}"},
            "control-plane",
            [
                ("ports", "port 2379 is taken by etcd (pid 77)", "ss -ltnp 'sport = :2379'; stop what listens"),
                ("ports", "port 10248 is taken", "ss -ltnp 'sport = :10248'; stop what listens"),
            ],
        ),
        (
            {"ports": PROXY, "datagrams": TUNNEL},
            "worker",
            [
                ("ports", "port 8443 is taken", "ss -ltnp 'sport = :8443'; stop what listens"),
                (
                    "ports",
                    "UDP port 14789, which the tunnels need, is taken",
                    "ss -lunp 'sport = :14789'; stop what listens",
                ),
            ],
        ),
        (
            {"drop_ins": DROP_IN},
            "worker",
            [
                (
                    "kubelet",
                    f"{DROP_IN} changes how the kubelet is started: another one would be tested",
                    f"apt-get purge kubeadm kubelet, or remove {DROP_IN}; systemctl daemon-reload",
                )
            ],
        ),
        (
            {"modules": "overlay missing\nbr_netfilter loaded\nvxlan missing"},
            "worker",
            [
                ("modules", "the kernel module overlay is missing", EXTRA),
                ("modules", "the kernel module nf_conntrack is missing", EXTRA),
                ("modules", "the kernel module vxlan is missing", EXTRA),
            ],
        ),
    ],
    ids=[
        *("old system", "unknown system", "processor", "init", "programs", "dpkg", "cores", "cores of a control plane"),
        *(
            "memory",
            "memory of a control plane",
            "disk",
            "swap",
            "sysctls",
            "clock ahead",
            "clock behind",
            "clock within",
        ),
        *("port of another role", "ports", "ports besides", "drop-in of the kubelet", "modules"),
    ],
)
def test_what_is_wrong_is_said_with_what_mends_it(
    sections: dict[str, str], role: Role, expected: list[tuple[str, str, str]]
) -> None:
    found = check([Machine("m", role, facts(**sections))], Wanted(vxlan=14789, ports={"m": (8443,)}))

    assert found == tuple(Problem("m", *each) for each in expected)


def test_a_module_that_only_tunnels_need_is_not_missed_without_them() -> None:
    machine = Machine("m", "worker", facts(modules="overlay loaded\nbr_netfilter loaded\nnf_conntrack loaded"))

    assert check([machine], Wanted()) == ()


def test_a_machine_that_carries_a_cluster_is_not_asked_for_ports_and_disk() -> None:
    full = facts(ports=ETCD, disk="/dev/vda1 10 5 1 50% /")

    assert check([Machine("m", "control-plane", full, is_used=True)], Wanted()) == ()


def test_every_problem_of_every_machine_comes_at_once_in_their_order() -> None:
    machines = [
        Machine("cp1", "control-plane", facts(cores="1", swaps=SWAPS)),
        Machine("w1", "worker", facts(machine_id="b", hostname="other")),
        Machine("w2", "worker", facts(machine_id="b", clock="0")),
    ]

    found = check(machines, Wanted())

    assert [(p.node, p.rule) for p in found] == [
        ("cp1", "cores"),
        ("cp1", "swap"),
        ("w2", "clock"),
        ("w2", "machine-id"),
        ("w2", "hostname"),
    ]
    assert found[3].what == "it has the machine-id of w1: the same machine twice, or a copy"


def test_a_rule_can_be_switched_off() -> None:
    machine = Machine("m", "control-plane", facts(cores="1", swaps=SWAPS))

    assert [p.rule for p in check([machine], Wanted(ignored=frozenset({"swap"})))] == ["cores"]


def test_a_person_reads_all_of_it() -> None:
    error = UnfitMachines(
        [Problem("cp1", "swap", "swap is on: /swap", "swapoff -a"), Problem("w1", "os", "it runs X", "Y")]
    )

    assert str(error) == (
        "2 machines cannot be used\n  cp1: swap is on: /swap\n      swapoff -a\n  w1: it runs X\n      Y"
    )
