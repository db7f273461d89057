"""Taking machines, changing them and giving them back, on copies of this machine that are really changed."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from providers.contracts import Node, Resource
from providers.hosts.marker import Change, Marker, changing, put_mark
from providers.hosts.owner import LINKS, Owner
from providers.hosts.preflight import UnfitMachines
from providers.hosts.taking import give_back, still_marked
from providers.ssh.access import Access, Endpoint, KeyFile
from providers.ssh.session import Ssh
from tests.support.copied_host import CopiedHost, copied_host, enter, need_program
from tests.support.taken_host import JOB, NOW_S, OURS, SNAPSHOT, mark, reached, taken, within
from upload.errors import CommandError, ManyErrors, ProviderError, StepError, UsageError

# what was taken before, as a command that may be done again makes it
NETWORK = """
ip link show e2e-br >/dev/null 2>&1 || ip link add e2e-br type bridge
ip addr replace 10.9.9.1/24 dev e2e-br; ip addr replace fd00:9::1/64 dev e2e-br; ip link set e2e-br up
ip route replace 10.244.1.0/24 via 10.9.9.2; ip route replace fd00:8::/64 dev e2e-br
for tables in iptables ip6tables; do
    $tables -t nat -N E2E-POST 2>/dev/null || $tables -t nat -F E2E-POST
    $tables -t nat -C POSTROUTING -j E2E-POST 2>/dev/null || $tables -t nat -A POSTROUTING -j E2E-POST
    $tables -t nat -A E2E-POST -m comment --comment 'out of the cluster' -j MASQUERADE
done
"""


# ---- whose it is


def test_a_machine_is_marked_with_run_owner_and_expiry_until_it_is_given_back(
    host: CopiedHost, nodes: list[Node]
) -> None:
    taken(nodes)

    assert mark(host) == {"run": OURS.run, "owner": "me@here", "claimed_s": NOW_S, "expires_s": NOW_S + 3600}
    assert host.sh("stat -c '%a %U' /var/lib/federated-e2e /var/lib/federated-e2e/owner.json") == "700 root\n600 root\n"
    assert still_marked(nodes, OURS.run, deadline=within()) == (Resource("host", "w1"),)

    for _ in range(2):
        give_back(nodes, OURS.run, deadline=within())
        assert still_marked(nodes, OURS.run, deadline=within()) == ()
        assert host.sh("ls /var/lib/federated-e2e 2>&1 || true").endswith("No such file or directory\n")


def test_a_run_that_comes_back_finds_its_machine_and_keeps_it_longer(host: CopiedHost, nodes: list[Node]) -> None:
    taken(nodes).own_tree("/etc/kubernetes")
    host.sh("mkdir /etc/kubernetes; touch /etc/kubernetes/admin.conf")
    later = Owner(OURS.run, "me@elsewhere", NOW_S + 60, NOW_S + 7200)

    assert taken(nodes, later).changes() == (Change("tree", "/etc/kubernetes"),)
    assert mark(host) == {"run": OURS.run, "owner": "me@elsewhere", "claimed_s": NOW_S, "expires_s": NOW_S + 7200}


@pytest.mark.parametrize(
    "made",
    [
        "mkdir -p /etc/kubernetes/manifests",
        "mkdir -p /var/lib/kubelet && touch /var/lib/kubelet/config.yaml",
        "mkdir -p /etc/cni/net.d && touch /etc/cni/net.d/05-cilium.conflist",
        "ip link add cni0 type bridge",
    ],
    ids=["kubeadm", "kubelet", "network", "link"],
)
def test_somebodys_cluster_is_refused_and_not_touched(made: str, host: CopiedHost, nodes: list[Node]) -> None:
    host.sh(made)
    before = host.sh(SNAPSHOT)

    with pytest.raises(UnfitMachines, match="somebody's cluster is or was on it"):
        taken(nodes)
    give_back(nodes, OURS.run, deadline=within())

    assert host.sh(SNAPSHOT) == before


def test_a_second_run_is_refused_with_the_holder_and_its_age(
    host: CopiedHost, nodes: list[Node], tmp_path: Path
) -> None:
    taken(nodes)
    other = Owner("ci-kubernetes-e2e-other-20260102000001", "you@there", NOW_S + 7200, NOW_S + 9000)
    with reached(tmp_path, other.run, host) as theirs:
        with pytest.raises(UnfitMachines) as caught:
            taken(theirs, other)
        give_back(theirs, other.run, deadline=within())

    assert str(caught.value).startswith(
        f"1 machine cannot be used\n  w1: run {OURS.run} of me@here has it since 2 h (until "
    )
    assert f"e2e down {OURS.run}" in str(caught.value)
    assert isinstance(mark(host), dict)


def test_of_two_runs_at_the_same_moment_one_wins(host: CopiedHost, nodes: list[Node]) -> None:
    owners = [Owner(f"{JOB}-2026010200000{n}", f"u{n}", NOW_S, NOW_S + 60) for n in range(6)]
    found: list[Owner] = []
    threads = [
        threading.Thread(target=lambda owner=owner: found.append(put_mark(nodes[0], owner, deadline=within())))
        for owner in owners
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(found) == len(owners)
    assert len({owner.run for owner in found}) == 1
    assert host.sh("ls -A /var/lib/federated-e2e") == "owner.json\n"


def test_what_an_expired_run_of_the_job_left_is_undone_first(
    host: CopiedHost, nodes: list[Node], tmp_path: Path
) -> None:
    before = host.sh(SNAPSHOT)
    old = Owner(f"{JOB}-20260101000000", "me@here", NOW_S - 9000, NOW_S - 1)
    with reached(tmp_path, old.run, host) as theirs:
        marker = taken(theirs, old)
        marker.own_tree("/etc/kubernetes")
        host.sh("mkdir -p /etc/kubernetes/pki")
        marker.write_file("/etc/hostname", b"changed\n")

    assert taken(nodes).changes() == ()
    give_back(nodes, OURS.run, deadline=within())
    assert host.sh(SNAPSHOT) == before


def test_all_problems_of_all_machines_come_at_once(host: CopiedHost, tmp_path: Path) -> None:
    host.sh("mkdir -p /etc/kubernetes/manifests")
    with copied_host(tmp_path / "w2", "w1", host) as second, reached(tmp_path, OURS.run, host, second) as nodes:
        gone = Endpoint("127.0.0.1", 9)
        with (
            Ssh(Access("root", KeyFile(host.key)), pins=tmp_path / "pins", run=OURS.run) as ssh,
            pytest.raises(UnfitMachines) as caught,
        ):
            taken([nodes[0], ssh.node("w0", "worker", gone), *nodes[1:]])

        assert [(p.node, p.rule) for p in caught.value.problems] == [("w1", "owner"), ("w0", "ssh"), ("w2", "hostname")]
        assert mark(second) is None


def test_what_an_earlier_call_left_running_is_ended_and_nothing_else(
    host: CopiedHost, nodes: list[Node], tmp_path: Path
) -> None:
    taken(nodes)
    with reached(tmp_path, OURS.run, host) as earlier, reached(tmp_path, "another-run-1", host) as other:
        for which, seconds in ((earlier, "601"), (other, "602")):
            thread = threading.Thread(target=sleep_there, args=(which[0], seconds), daemon=True)
            thread.start()
        eventually(lambda: {"601", "602"} <= sleepers(host))
    assert {"601", "602"} <= sleepers(host), "hanging up ends no command on the machine"

    taken(nodes)

    assert sleepers(host) & {"601", "602"} == {"602"}
    host.sh("pkill -f 'sleep 602'", check=False)


# ---- what is changed, and back


def test_every_change_is_undone_and_nothing_is_left(host: CopiedHost, nodes: list[Node]) -> None:
    need_program("iptables")
    host.sh(
        "ln -s hostname /etc/link; mkdir -p /etc/empty; echo mine > /etc/mine; chmod 640 /etc/mine; chown games /etc/mine"
    )
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)

    change_everything(marker, host)

    assert [(c.kind, c.subject) for c in marker.changes()] == [
        ("tree", "/etc/kubernetes"),
        ("tree", "/etc/empty"),
        ("file", "/etc/mine"),
        ("file", "/etc/link"),
        ("folder", "/etc/a"),
        ("folder", "/etc/a/b c"),
        ("file", "/etc/a/b c/d"),
        ("link", "e2e-br"),
        ("route", "10.244.1.0/24"),
        ("route", "fd00:8::/64"),
        ("chain", "nat E2E-POST"),
        ("sysctl", "net.ipv4.ip_forward"),
        ("folder", "/mnt/e2e"),
        ("folder", "/mnt/e2e/x"),
        ("mount", "/mnt/e2e/x"),
    ]
    assert host.sh("cat /etc/mine /proc/sys/net/ipv4/ip_forward; stat -c %a /etc/mine") == "ours\n1\n600\n"
    assert host.sh(SNAPSHOT) != before

    marker.give_back()

    assert host.sh(SNAPSHOT) == before


def test_making_the_same_changes_again_changes_and_records_nothing(host: CopiedHost, nodes: list[Node]) -> None:
    need_program("iptables")
    host.sh("echo mine > /etc/mine; ln -s hostname /etc/link; mkdir -p /etc/empty")
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)
    change_everything(marker, host)
    changes, changed = marker.changes(), host.sh(SNAPSHOT)

    change_everything(marker, host)

    assert (marker.changes(), host.sh(SNAPSHOT)) == (changes, changed)
    marker.give_back()
    assert host.sh(SNAPSHOT) == before


def test_giving_back_can_be_cut_at_any_point_and_goes_on(host: CopiedHost, nodes: list[Node]) -> None:
    need_program("iptables")
    host.sh("echo mine > /etc/mine; ln -s hostname /etc/link; mkdir -p /etc/empty")
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)
    change_everything(marker, host)
    left = [len(marker.changes())]

    for _ in range(40):
        kill_after(host, 0.05, OURS.run, "undo")
        left.append(len(marker.changes()))
    marker.give_back()

    assert left == sorted(left, reverse=True)
    assert host.sh(SNAPSHOT) == before


def test_changing_can_be_cut_at_any_point_and_is_undone_or_goes_on(host: CopiedHost, nodes: list[Node]) -> None:
    need_program("iptables")
    host.sh("echo mine > /etc/mine")
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)

    for number in range(12):
        for words in (
            ("file", "/etc/mine"),
            ("route", "10.244.1.0/24", "10.244.2.0/24"),
            ("chain", "nat", "E2E-POST"),
        ):
            kill_after(host, 0.004 * number, OURS.run, *words)
    marker.write_file("/etc/mine", b"ours\n")
    assert len({(c.kind, c.subject) for c in marker.changes()}) == len(marker.changes())
    marker.give_back()

    assert host.sh(SNAPSHOT) == before


def test_a_file_is_updated_only_where_it_differs(host: CopiedHost, nodes: list[Node]) -> None:
    marker = taken(nodes)

    written = [marker.update_file("/etc/x", text) for text in (b"one\n", b"one\n", b"two\n")]

    assert (written, host.sh("cat /etc/x")) == ([True, False, True], "two\n")
    assert marker.changes() == (Change("file", "/etc/x"),)


def test_a_file_comes_back_where_somebody_removed_its_folder(host: CopiedHost, nodes: list[Node]) -> None:
    host.sh("mkdir /etc/x; echo mine > /etc/x/file")
    marker = taken(nodes)
    marker.write_file("/etc/x/file", b"ours\n")
    marker.write_file("/etc/x/other", b"ours\n")
    host.sh("rm -r /etc/x")
    marker.give_back()

    assert host.sh("ls /etc/x; cat /etc/x/file") == "file\nmine\n"


@pytest.mark.parametrize("then", ["undo", "change"])
def test_a_line_that_was_cut_in_the_middle_was_never_acted_upon(then: str, host: CopiedHost, nodes: list[Node]) -> None:
    marker = taken(nodes)
    marker.own_tree("/etc/x")
    host.sh("printf 'file\\t/etc/host' >> /var/lib/federated-e2e/changes; mkdir /etc/x")

    if then == "change":
        marker.own_tree("/etc/y")
        assert [c.subject for c in marker.changes()] == ["/etc/x", "/etc/y"]
    marker.give_back()

    assert host.sh("ls -d /etc/x /etc/host /etc/hostname 2>/dev/null || true") == "/etc/hostname\n"


@pytest.mark.parametrize(
    ("made", "change", "says"),
    [
        (
            "mkdir -p /etc/x; touch /etc/x/y",
            lambda m: m.own_tree("/etc/x"),
            "tree /etc/x on w1: /etc/x is there already",
        ),
        ("ip link add x type bridge", lambda m: m.own_link("x"), "the link x is there already"),
        (
            "ip link add x type bridge; ip addr add 10.9.0.1/24 dev x; ip link set x up; ip route add 10.8.0.0/24 via 10.9.0.2",
            lambda m: m.own_routes(["10.7.0.0/24", "10.8.0.0/24"]),
            "the route to 10.8.0.0/24 is there already",
        ),
        (
            "ip link add x type bridge; ip addr add fd00:9::1/64 dev x; ip link set x up; ip route add fd00:8::/64 dev x",
            lambda m: m.own_routes(["fd00:8::/64"]),
            "the route to fd00:8::/64 is there already",
        ),
        (
            "iptables -N X",
            lambda m: m.own_chain("filter", "X"),
            "the chain X is there already",
        ),
        (
            "ip link add x1 type bridge",
            lambda m: m.own_links("x.*"),
            "links are there already and are not ours: x1",
        ),
        ("touch /etc/x", lambda m: m.own_tree("/etc/x"), "/etc/x is there already and is no folder"),
        ("ip6tables -N X", lambda m: m.own_chain("filter", "X"), "the chain X is there already"),
        ("mount -t tmpfs x /mnt", lambda m: m.mount("/mnt", "-t", "tmpfs", "x"), "/mnt is a mount already"),
        ("iptables -N KUBE-X", lambda m: m.own_pods(), "there are packet rules of somebody's Kubernetes"),
        ("mkdir -p /etc/x", lambda m: m.write_file("/etc/x", b""), "/etc/x is a folder"),
        ("true", lambda m: m.set_sysctl("net.no.such", "1"), "there is no sysctl net.no.such"),
    ],
    ids=[
        "tree",
        "link",
        "route",
        "route of IPv6",
        "chain",
        "links",
        "file for a tree",
        "chain of IPv6",
        "mount",
        "pods",
        "folder",
        "sysctl",
    ],
)
def test_what_is_not_ours_is_refused_and_stays(
    made: str, change: Callable[[Marker], None], says: str, host: CopiedHost, nodes: list[Node]
) -> None:
    need_program("iptables")
    host.sh(made)
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)

    with pytest.raises(StepError) as caught:
        change(marker)
    assert says in str(caught.value)
    marker.give_back()

    assert host.sh(SNAPSHOT) == before


def test_packet_rules_and_networks_of_pods_go_and_others_stay(host: CopiedHost, nodes: list[Node]) -> None:
    need_program("iptables")
    host.sh("iptables -N MINE; iptables -A INPUT -j MINE; iptables -A MINE -s 192.0.2.1 -j DROP; ip netns add mine")
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)
    marker.own_pods()
    host.sh(
        "iptables -t nat -N KUBE-SERVICES; iptables -t nat -A PREROUTING -j KUBE-SERVICES; iptables -N KUBE-FORWARD;"
        "ip6tables -t nat -N CNI-HOSTPORT-DNAT; ip6tables -t nat -A OUTPUT -j CNI-HOSTPORT-DNAT;"
        "ip netns add cni-1234; ip link add veth1 type veth peer name eth0 netns cni-1234"
    )

    for _ in range(2):
        marker.own_pods()
    assert marker.changes() == (Change("pods", "k8s.io", "netns"),)
    marker.give_back()

    assert host.sh(SNAPSHOT) == before
    assert host.sh("ip netns list; ip6tables-save -t nat | grep CNI || true") == "mine\n"


def test_a_machine_that_lost_our_mark_is_not_changed(host: CopiedHost, nodes: list[Node]) -> None:
    marker = taken(nodes)
    host.sh("sed -i s/lab-2026/lab-2027/ /var/lib/federated-e2e/owner.json")
    before = host.sh(SNAPSHOT)

    acts: tuple[Callable[[], object], ...] = (
        lambda: marker.write_file("/etc/hostname", b"x"),
        marker.give_back,
        marker.changes,
    )
    for act in acts:
        with pytest.raises(StepError, match=f"the machine does not carry the mark of {OURS.run}"):
            act()

    assert host.sh(SNAPSHOT) == before


@pytest.mark.parametrize("made", ["mkdir /srv/data", "true"], ids=["an empty folder", "nothing yet"])
def test_a_tree_that_lies_elsewhere_is_emptied_there(made: str, host: CopiedHost, nodes: list[Node]) -> None:
    host.sh(f"{made}; ln -s /srv/data /var/lib/kubelet")
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)

    for _ in range(2):
        marker.own_tree("/var/lib/kubelet")
        host.sh("touch /var/lib/kubelet/config.yaml")
    assert marker.changes() == (Change("tree", "/srv/data", "empty" if "mkdir" in made else ""),)
    host.sh("mkdir -p /var/lib/kubelet/pods/x && mount -t tmpfs x /var/lib/kubelet/pods/x")
    marker.give_back()

    assert host.sh(SNAPSHOT) == before


def test_a_tree_that_is_kept_comes_back_with_what_was_in_it(host: CopiedHost, nodes: list[Node]) -> None:
    host.sh("mkdir -p /etc/plugins; echo mine > /etc/plugins/ptp; chmod 750 /etc/plugins; ln -s ptp /etc/plugins/x")
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)

    for _ in range(2):
        marker.own_tree("/etc/plugins", kept=True)
        host.sh("echo theirs > /etc/plugins/ptp; echo theirs > /etc/plugins/calico; rm -f /etc/plugins/x")
    for number in range(20):
        kill_after(host, 0.004 * number, OURS.run, "undo")
    marker.give_back()

    assert host.sh(SNAPSHOT) == before


def test_a_disk_that_is_full_keeps_nothing_from_coming_back(host: CopiedHost, nodes: list[Node]) -> None:
    host.sh("mkdir -m 700 /var/lib/federated-e2e; mount -t tmpfs -o size=64k x /var/lib/federated-e2e")
    host.sh("echo mine > /var/lib/federated-e2e/file; mkdir /etc/data")
    marker = taken(nodes)
    marker.write_file("/var/lib/federated-e2e/file", b"ours")
    marker.own_tree("/etc/data")
    host.sh("touch /etc/data/x; cat /dev/zero > /var/lib/federated-e2e/full 2>/dev/null", check=False)

    marker.call("undo")

    assert host.sh("cat /var/lib/federated-e2e/file; ls /etc/data; cat /var/lib/federated-e2e/changes") == "mine\n"


def test_settings_that_others_will_change_are_put_back(host: CopiedHost, nodes: list[Node]) -> None:
    marker = taken(nodes)
    names = ["net.ipv4.conf.all.route_localnet", "net.no.such", "net.ipv4.ip_local_port_range", "kernel.osrelease"]
    was = host.sh("cat /proc/sys/net/ipv4/ip_local_port_range")

    for _ in range(2):
        marker.own_sysctls(names)
        host.sh(
            "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; echo 20000 30000 > /proc/sys/net/ipv4/ip_local_port_range"
        )
    assert [change.subject for change in marker.changes()] == [names[0], *names[2:]]
    marker.give_back()

    assert (
        host.sh("cat /proc/sys/net/ipv4/conf/all/route_localnet /proc/sys/net/ipv4/ip_local_port_range") == f"0\n{was}"
    )


def test_links_of_programs_that_we_do_not_know_go_by_their_names(host: CopiedHost, nodes: list[Node]) -> None:
    host.sh("ip link add wg0 type bridge")
    before = host.sh(SNAPSHOT)
    marker = taken(nodes)

    for _ in range(2):
        marker.own_links(LINKS)
        host.sh("ip link add cni0 type bridge; ip link add cali1 type veth peer name cali2", check=False)
    marker.give_back()

    assert host.sh(SNAPSHOT) == before


def test_what_cannot_be_recorded_is_refused_before_it_is_sent(nodes: list[Node]) -> None:
    marker = taken(nodes)

    with pytest.raises(UsageError, match="cannot be recorded"):
        marker.own_tree("/etc/a\nb")


def test_a_failed_giving_back_tells_every_machine(host: CopiedHost, tmp_path: Path) -> None:
    with copied_host(tmp_path / "second", "second", host) as second, reached(tmp_path, OURS.run, host, second) as nodes:
        for node in nodes:
            put_mark(node, OURS, deadline=within())
        for machine in (host, second):
            machine.sh("printf 'dance\\tx\\t\\n' > /var/lib/federated-e2e/changes")
        with pytest.raises((ManyErrors, StepError), match="the journal has a change that is unknown here: dance"):
            give_back(nodes, OURS.run, deadline=within())


def test_a_full_disk_leaves_the_file_that_was_there(host: CopiedHost, nodes: list[Node]) -> None:
    host.sh("mount -t tmpfs -o size=64k x /mnt; echo mine > /mnt/file")
    with pytest.raises(CommandError, match="No space left on device"):
        nodes[0].put(b"x" * 200_000, "/mnt/file", deadline=within())

    assert host.sh("cat /mnt/file; ls -A /mnt") == "mine\nfile\n"


# ---- what tests do


def change_everything(marker: Marker, host: CopiedHost) -> None:
    marker.own_tree("/etc/kubernetes")
    marker.own_tree("/etc/empty")
    host.sh(
        "mkdir -p '/etc/kubernetes/with space' /etc/empty/sub && touch /etc/kubernetes/admin.conf /etc/empty/sub/x;"
        " mountpoint -q '/etc/kubernetes/with space' || mount -t tmpfs x '/etc/kubernetes/with space'"
    )
    marker.write_file("/etc/mine", b"ours\n", mode=0o600)
    marker.write_file("/etc/link", b"ours\n")
    marker.write_file("/etc/a/b c/d", b"ours\n")
    marker.own_link("e2e-br")
    marker.own_routes(["10.244.1.0/24", "fd00:8::/64"])
    marker.own_chain("nat", "E2E-POST")
    host.sh(NETWORK)
    marker.set_sysctl("net.ipv4.ip_forward", "1")
    marker.mount("/mnt/e2e/x", "-t", "tmpfs", "tmpfs")


def kill_after(host: CopiedHost, seconds: float, run: str, *words: str) -> None:
    argv = [*enter(host.pid, host.root), "timeout", "-s", "KILL", f"{seconds:.3f}", "sh", "-s", "--", run, *words]
    subprocess.run(argv, input=changing(), capture_output=True, timeout=60, check=False)


def sleep_there(node: Node, seconds: str) -> None:
    try:
        node.run(("sleep", seconds), deadline=within(300))
    except ProviderError:
        return


def sleepers(host: CopiedHost) -> set[str]:
    return set(host.sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'", check=False).split())


def eventually(is_so: Callable[[], bool], seconds: float = 15.0) -> None:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")
