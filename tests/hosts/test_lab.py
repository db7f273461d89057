from __future__ import annotations

import contextlib
import hashlib
import io
import json
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers import process
from providers.releases.sources import Platform
from tests.support.lab import HostSize, Lab, LabHost, bridge, cgroups, lab, open_lab
from tests.support.lab.__main__ import main
from tests.support.lab.fixtures import FreshHosts
from tests.support.lab.hosts import OF_LAB
from tests.support.lab.image import squash
from tests.support.lab.labs import remove_labs
from tests.support.lab.needs import missing
from tests.support.lab.records import Ledger
from tests.support.lab.settings import read_settings
from tests.support.lab.values import GIB, LabNames
from upload.errors import CommandError, DeadlineExceeded, ProviderError

pytestmark = pytest.mark.hosts

SILENCE_S = 1.0
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
CHANGE_SETTINGS = "sysctl --quiet --write vm.overcommit_memory=1 kernel.panic=10 kernel.panic_on_oops=1"
OWNER = """
import sys, time
from pathlib import Path
from tests.support.lab import open_lab
from tests.support.lab.records import Ledger
with open_lab(ledger=Ledger(Path(sys.argv[1]))) as lab:
    lab.add("k1")
    lab.run("k1", sys.argv[2])
    print(lab.names.number, flush=True)
    time.sleep(600)
"""
BRIEF_OWNER = """
import sys
from pathlib import Path
from tests.support.lab import open_lab
from tests.support.lab.records import Ledger
print("begins", flush=True)
with open_lab(ledger=Ledger(Path(sys.argv[1]))) as lab:
    lab.add("k1", "k2")
    lab.run("k1", sys.argv[2])
    lab.remove("k2")
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return records apart from those of the session's lab: what happens to the last lab happens to this one."""
    if lacks := missing():
        pytest.skip("; ".join(lacks))
    made = Ledger(tmp_path / "labs")
    yield made
    remove_labs(made, set(made.labs()))  # what a failed test left


@pytest.fixture
def settings_stay() -> Iterator[None]:
    before = read_settings()
    yield
    assert read_settings() == before


def left_of(ledger: Ledger, names: LabNames) -> dict[str, object]:
    """Return what is still there of a lab, by kind."""
    mounted = subprocess.run(["losetup", "--all"], capture_output=True, text=True, timeout=10, check=True).stdout
    found = {
        "folder": ledger.of(names.number).exists(),
        "settings": ledger.settings.exists(),
        "processes": process.marked(process.Mark(OF_LAB, str(ledger.of(names.number)))),
        "groups": cgroups.groups(names.machine("*")),
        "links": [name for name in bridge.links() if names.lab in name],
        "loops": [line for line in mounted.splitlines() if str(ledger.folder) in line],
    }
    return {kind: what for kind, what in found.items() if what}


def greeting(host: LabHost, timeout_s: float = 10.0) -> bytes:
    with socket.create_connection((host.address, 22), timeout=timeout_s) as wire:
        return wire.recv(4)


def test_hosts_are_machines_that_a_kubelet_can_live_on(host_lab: Lab, shared_hosts: tuple[LabHost, ...]) -> None:
    first, second = shared_hosts
    told = {
        "state": "systemctl is-system-running --wait",
        "failed": "systemctl list-units --failed --plain --no-legend",
        "name": "hostname",
        "runtime": "systemctl is-active containerd",
        "plugin": "test -x /opt/cni/bin/ptp && echo there",
        "root of the groups": "awk -F: '$2 == \"memory\" || $1 == 0 {print $3; exit}' /proc/self/cgroup",
        "a group": "c=/sys/fs/cgroup; test -e $c/cgroup.procs || c=$c/memory; mkdir $c/kubepods && echo made",
        "mounts": "findmnt --noheadings --output PROPAGATION /",
        "setting": "sysctl --write net.netfilter.nf_conntrack_tcp_timeout_close=11",
        "tables": "iptables -t nat -A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE && iptables-save -t nat | grep -c MASQ",
        "a layer": "cd /var/lib/containerd && mkdir l u w m && mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m && umount m"
        " && rmdir l m u && echo laid",
        "modules": "modprobe overlay && modprobe br_netfilter && echo loaded",
        "neighbour": f"ping -c 1 -W 2 {second.address} >/dev/null && echo answers",
    }
    said = {what: host_lab.run(first.name, script).strip() for what, script in told.items()}

    assert said == {
        "state": "running",
        "failed": "",
        "name": first.name,
        "runtime": "active",
        "plugin": "there",
        "root of the groups": "/",
        "a group": "made",
        "mounts": "shared",
        "setting": "net.netfilter.nf_conntrack_tcp_timeout_close = 11",
        "tables": "1",
        "a layer": "laid",
        "modules": "loaded",
        "neighbour": "answers",
    }
    assert (
        host_lab.run(second.name, "ls -d /sys/fs/cgroup/memory/kubepods /sys/fs/cgroup/kubepods || true").strip() == ""
    )


def image_of(program: bytes, name: str) -> bytes:
    """Return a docker-archive of one static program, ``/program``."""
    layer = tar_of({"program": program})
    config = json.dumps(
        {
            "architecture": Platform.here().arch,
            "os": "linux",
            "config": {"Entrypoint": ["/program"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    return tar_of({"manifest.json": manifest, "config.json": config, "layer.tar": layer})


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("name", ["", "h10000", "H1", "1h", "../x", "h-1"])
def test_names_that_no_host_may_have_are_refused(host_lab: Lab, name: str) -> None:
    with pytest.raises(ProviderError, match="a host's name is a small letter and up to three more"):
        host_lab.add(name)


def test_hosts_run_containers(host_lab: Lab, fresh_hosts: FreshHosts) -> None:
    (host,) = fresh_hosts(1)
    name = "example.test/ldconfig:1"
    archive = image_of(Path("/sbin/ldconfig").read_bytes(), name)  # glibc's is static

    host_lab.run(host.name, "ctr images import --snapshotter overlayfs -", stdin=archive)
    said = host_lab.run(host.name, f"ctr run --rm --snapshotter overlayfs {name} c1 /program --version")

    assert said.startswith("ldconfig (")


def test_a_host_comes_back_from_a_reboot_and_a_power_cut_with_its_disk(host_lab: Lab, fresh_hosts: FreshHosts) -> None:
    (host,) = fresh_hosts(1)
    boots = [host_lab.run(host.name, f"echo kept > /etc/kept; echo kept > /var/lib/kept; sync; {BOOT_ID}")]
    with pytest.raises(CommandError):  # ssh is cut
        host_lab.run(host.name, "systemctl reboot; sleep 20")
    host_lab.wait(host.name)
    boots.append(host_lab.run(host.name, BOOT_ID))
    host_lab.stop(host.name)
    with pytest.raises(OSError, match=r"timed out|No route"):
        greeting(host, SILENCE_S)
    host_lab.start(host.name)
    boots.append(host_lab.run(host.name, BOOT_ID))

    assert host_lab.run(host.name, "cat /etc/kept /var/lib/kept") == "kept\nkept\n"
    assert len(set(boots)) == 3


def test_a_fresh_host_is_another_machine_at_the_same_address(host_lab: Lab, fresh_hosts: FreshHosts) -> None:
    (before,) = fresh_hosts(1, user="admin")
    ids = [host_lab.run(before.name, "sudo touch /etc/mark /var/lib/mark && cat /etc/machine-id")]
    (after,) = fresh_hosts(1, user="admin")
    ids.append(host_lab.run(after.name, "cat /etc/machine-id"))

    assert host_lab.run(after.name, "id -un; ls /etc/mark /var/lib/mark 2>/dev/null || true") == "admin\n"
    assert (after.address, after.name) == (before.address, before.name)
    assert after.host_key != before.host_key
    assert len(set(ids)) == 2


def test_a_frozen_host_takes_connections_and_says_nothing(host_lab: Lab, fresh_hosts: FreshHosts) -> None:
    (host,) = fresh_hosts(1)

    assert greeting(host) == b"SSH-"
    host_lab.freeze(host.name, frozen=True)
    with pytest.raises(TimeoutError):
        greeting(host, SILENCE_S)
    host_lab.freeze(host.name, frozen=False)
    assert greeting(host) == b"SSH-"


def test_a_host_without_its_wire_is_not_reached(host_lab: Lab, fresh_hosts: FreshHosts) -> None:
    (host,) = fresh_hosts(1)

    host_lab.plug(host.name, plugged=False)
    with pytest.raises(OSError, match=r"timed out|No route"):
        greeting(host, SILENCE_S)
    host_lab.plug(host.name, plugged=True)
    host_lab.wait(host.name)
    assert greeting(host) == b"SSH-"


def test_hosts_are_bounded_and_can_be_given_more_than_the_image(ledger: Ledger, tmp_path: Path) -> None:
    more = tmp_path / "more"
    for name in ("usr/bin/more-there", "var/lib/more-there"):
        (more / name).parent.mkdir(parents=True)
        (more / name).write_text("laid over")
    squash(more, tmp_path / "layer")
    small = HostSize(memory_bytes=GIB, disk_bytes=GIB)
    with lab(1, ledger=ledger, size=small, layers=(tmp_path / "layer",)) as made:
        limit = made.run(
            "h1", "c=/sys/fs/cgroup; cat $c/memory/memory.limit_in_bytes $c/memory.max 2>/dev/null || true"
        )
        laid = made.run("h1", "cat /usr/bin/more-there /var/lib/more-there")
        with pytest.raises(CommandError, match="No space left"):
            made.run("h1", "fallocate -l 2G /large")

    assert (int(limit), laid) == (GIB, "laid overlaid over")


def test_a_host_that_does_not_boot_says_why(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "layer").write_text("no squashfs")
    with (
        pytest.raises(ProviderError, match=r"(?s)^h1 ended while it booted:.*mount: .*/h1/mounts/layers/00"),
        lab(1, ledger=ledger, layers=(tmp_path / "layer",)),
    ):
        pytest.fail("it booted")
    with (
        open_lab(ledger=ledger) as made,
        pytest.raises(DeadlineExceeded, match=r"^h1: waiting for SSH \(its console ends"),
    ):
        made.add("h1", boot_s=0.01)

    assert left_of(ledger, made.names) == {}


@pytest.mark.usefixtures("settings_stay")
def test_the_next_start_removes_what_a_killed_owner_left(ledger: Ledger) -> None:
    argv = [sys.executable, "-c", OWNER, str(ledger.folder), CHANGE_SETTINGS]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        try:
            names = LabNames(int(owner.stdout.readline()))
            with open_lab(ledger=ledger) as beside:  # whose owner lives is left alone
                assert beside.names != names
            assert read_settings()["vm/overcommit_memory"] == "1"
        finally:
            owner.kill()
    assert set(left_of(ledger, names)) == {"folder", "settings", "processes", "groups", "links", "loops"}
    with open_lab(ledger=ledger) as after:
        assert after.hosts == ()

    assert left_of(ledger, names) == {}


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.1, 0.4, 0.8, 1.2, 1.6, 2.0, 2.5, 3.0, 3.5, 4.0])
@pytest.mark.usefixtures("settings_stay")
def test_an_owner_may_be_killed_at_any_moment(ledger: Ledger, after_s: float) -> None:
    """The moments lie in the making of the lab, the boot, the work and the removal, wherever a machine is quick or slow."""
    argv = [sys.executable, "-c", BRIEF_OWNER, str(ledger.folder), CHANGE_SETTINGS]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        try:
            assert owner.stdout.readline() == "begins\n"
            with contextlib.suppress(subprocess.TimeoutExpired):
                owner.wait(after_s)
        finally:
            owner.kill()
    labs = tuple(ledger.labs())
    with open_lab(ledger=ledger) as after:
        labs += (after.names.number,)

    assert [left for number in labs if (left := left_of(ledger, LabNames(number)))] == []


@pytest.mark.usefixtures("settings_stay")
def test_hosts_for_a_person_stay_until_they_are_taken_down(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert main(["up", "--hosts", "1"], ledger) == 0
        (line,) = capsys.readouterr().out.splitlines()
        argv = line.split("  ")[2].split()
        said = subprocess.run([*argv, "hostname"], capture_output=True, text=True, timeout=30, check=True).stdout
        with open_lab(ledger=ledger) as beside:  # and a test run does not remove them
            assert len(ledger.labs()) == 2
        (number,) = ledger.labs()
        assert main(["up"], ledger) == 0
        again = capsys.readouterr().out.splitlines()[1:]
    finally:
        assert main(["down"], ledger) == 0

    assert (said, again) == ("h1\n", [line])
    assert left_of(ledger, LabNames(number)) == {}
    assert left_of(ledger, beside.names) == {}
