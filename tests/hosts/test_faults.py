"""Faults while a cluster is made, on real hosts: what is told, that ``up`` goes on afterwards, and that nothing is left."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from providers.contracts import Binaries, ClusterSpec, Context, Deadline, Download, Provider
from providers.kubeadm.actions import ACTIONS
from tests.hosts.clusters import differences, lab_context, lab_provider, lab_settings, states
from tests.hosts.faults import BreakAt
from tests.support.http_server import running
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts
from upload.errors import HarnessError, ManyErrors, NodeUnreachable, StepError

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(1800)]

STEPS = ("Take the machines", *(name for name, _ in ACTIONS))
QUICK = {"Kubeconfig", "Join control planes", "Pod network", "Service network", "Take back the token"}
# ends the sessions and not what listens; detached, since the session that brings it is one of them
CUT = "systemd-run --quiet --collect pkill -9 -f '^sshd: root'"
# what df calls available is less than root may take
FILL = 'fallocate -l "$(($(stat -f -c "%f * %S" /var/lib) - 20000000))" /var/lib/fill'
# what arrives as kubelet has another first byte: mv is the last to touch it
SPOIL = r"""cat > /usr/local/bin/mv <<'END'
#!/bin/sh
/bin/mv "$@"
case "$*" in */kubelet) printf X | dd of=/usr/local/bin/kubelet conv=notrunc status=none ;; esac
END
chmod +x /usr/local/bin/mv"""


def failure(provider: Provider, spec: ClusterSpec, context: Context) -> HarnessError:
    """Return what ``up`` fails with."""
    with pytest.raises(HarnessError) as caught:
        provider.up(spec, context)
    return caught.value


def end(lab: Lab, provider: Provider, context: Context, before: Mapping[str, list[str]]) -> None:
    """Take down, and see that the machines are as they were."""
    provider.down(context)
    assert provider.leftovers(context) == ()
    left = differences(before, states(lab, lab.hosts))
    assert left == [], "\n".join(left)


def test_up_goes_on_after_ssh_was_cut_in_every_action(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts)
    told: dict[str, str] = {}

    def cut() -> None:
        for host in hosts:
            host_lab.run(host.name, CUT)

    for step in STEPS:
        steps = BreakAt(at=step, fault=cut, after_s=0.05 if step in QUICK else 0.4)
        try:
            provider.up(ClusterSpec(nodes=1), replace(context, steps=steps))
        except (NodeUnreachable, ManyErrors, StepError) as error:
            told[step] = str(error)
        assert steps.failed == []
    again = replace(context, deadline=Deadline.after(600, "the rest"))
    cluster = provider.up(ClusterSpec(nodes=1), again)

    assert cluster.nodes == ("h1", "h2")
    assert told, "no step was met: each had ended before its sessions were cut"
    assert all("the connection broke" in text or "hung up" in text for text in told.values()), told
    end(host_lab, provider, replace(context, deadline=Deadline.after(600, "down")), before)


def test_a_wire_that_is_pulled_is_told_with_the_machine_and_up_goes_on(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(2)
    before = states(host_lab, hosts)
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts)
    steps = BreakAt(at="Images", fault=lambda: host_lab.plug("h2", plugged=False), after_s=0.4)

    error = failure(provider, ClusterSpec(nodes=1), replace(context, steps=steps))
    host_lab.plug("h2", plugged=True)

    assert isinstance(error, NodeUnreachable), repr(error)
    assert (error.node, error.reason) == ("h2", "lost")
    assert error.hint
    assert provider.up(ClusterSpec(nodes=1), context).nodes == ("h1", "h2")
    end(host_lab, provider, context, before)


@pytest.mark.parametrize(
    ("step", "refused"),
    [("Install Kubernetes", "write /usr/local/bin/"), ("Images", "Images")],
    ids=["programs", "images"],
)
def test_a_full_disk_is_told_and_up_goes_on_when_there_is_room(
    step: str, refused: str, host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(1)
    before = states(host_lab, hosts)
    spec, provider, context = ClusterSpec(nodes=0), lab_provider(hosts), lab_context(tmp_path / "c1", hosts)

    error = failure(provider, spec, replace(context, steps=BreakAt(at=step, fault=lambda: host_lab.run("h1", FILL))))
    host_lab.run("h1", "rm /var/lib/fill")

    assert isinstance(error, StepError), repr(error)
    assert (error.step.removesuffix("kubeadm").removesuffix("kubelet"), error.node) == (refused, "h1")
    assert "no space left on device" in str(error).lower()
    assert "df" in error.hint
    assert provider.up(spec, context).nodes == ("h1",)
    end(host_lab, provider, context, before)


def test_a_program_that_arrives_changed_is_told(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(1)
    host_lab.run("h1", SPOIL)
    before = states(host_lab, hosts)
    spec, provider, context = ClusterSpec(nodes=0), lab_provider(hosts), lab_context(tmp_path / "c1", hosts)
    with context.binaries.get("kubelet", deadline=context.deadline).open("rb") as file:
        wanted = hashlib.file_digest(file, "sha256").hexdigest()

    error = failure(provider, spec, context)

    assert isinstance(error, StepError), repr(error)
    assert (error.step, error.node) == ("Install Kubernetes", "h1")
    assert "/usr/local/bin/kubelet arrived with the SHA-256 " in str(error)
    assert f", not {wanted}: " in str(error)
    assert error.hint
    end(host_lab, provider, context, before)


@dataclass(frozen=True)
class Publishes:
    """The same programs, which a server publishes with a sum that is wrong."""

    base: Binaries
    root: str

    @property
    def version(self) -> str:
        return self.base.version

    def get(self, program: str, *, deadline: Deadline) -> Path:
        return self.base.get(program, deadline=deadline)

    def ensure(self, programs: Iterable[str], *, deadline: Deadline) -> Mapping[str, Path]:
        return self.base.ensure(programs, deadline=deadline)

    def other(self, kubernetes: str = "", *, platform: str = "", deadline: Deadline) -> Publishes:
        return replace(self, base=self.base.other(kubernetes, platform=platform, deadline=deadline))

    def published(self, program: str, *, deadline: Deadline) -> Download:
        return Download(f"{self.root}/{program}", "0" * 64)


@contextmanager
def served(folder: Path, address: str) -> Iterator[tuple[str, bytes]]:
    """Give the address of an HTTPS server of a folder, and the certificate of its authority."""
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(address).configure_cert(tls)
    server = ThreadingHTTPServer((address, 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield f"https://{address}:{server.server_port}", authority.cert_pem.bytes()


def test_a_published_program_with_a_wrong_sum_is_told(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(1)
    (tmp_path / "kubelet").write_bytes(b"not the kubelet")
    came = hashlib.sha256(b"not the kubelet").hexdigest()
    provider, context = lab_provider(hosts, programs="fetched"), lab_context(tmp_path / "c1", hosts)
    with served(tmp_path, str(host_lab.names.gateway)) as (root, certificate):
        host_lab.run("h1", "cd; cat > ca.pem; echo cacert=$PWD/ca.pem > .curlrc", stdin=certificate)
        before = states(host_lab, hosts)
        secret = root.replace("https://", "https://user:secret-word@")

        error = failure(provider, ClusterSpec(nodes=0), replace(context, binaries=Publishes(context.binaries, secret)))

    assert isinstance(error, StepError), repr(error)
    said = f"Fetch kubelet on h1: what came has the SHA-256 {came}, not the published {'0' * 64}"
    assert (str(error), "secret-word" in error.output_tail) == (said, False)
    end(host_lab, provider, context, before)


def test_a_kubelet_that_never_gets_ready_is_told_with_its_last_lines(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(1)
    before = states(host_lab, hosts)
    patches: dict[str, Any] = lab_settings(hosts)["patches"]
    patches["KubeletConfiguration"]["cgroupRoot"] = "/none"
    patches["InitConfiguration"]["timeouts"] = {"kubeletHealthCheck": "15s"}
    provider, context = lab_provider(hosts, patches=patches), lab_context(tmp_path / "c1", hosts)

    error = failure(provider, ClusterSpec(nodes=0), context)

    assert isinstance(error, StepError), repr(error)
    assert (error.step, error.node) == ("kubeadm init", "h1")
    tail = error.output_tail.partition("--- kubelet on h1:\n")[2]
    assert "none" in tail, tail
    end(host_lab, provider, context, before)


def test_one_join_of_three_that_fails_is_named_and_the_others_are_waited_for(
    host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path
) -> None:
    hosts = fresh_hosts(4)
    before = states(host_lab, hosts)
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts)
    squat = "systemd-run --quiet --collect --unit squatter systemd-socket-activate -l 10250 cat"
    ports = "until ss -Hltn 'sport = :10250' | grep -q .; do sleep 0.1; done"

    def occupy() -> None:
        host_lab.run("h3", f"systemctl stop kubelet; {squat}; {ports}")

    error = failure(provider, ClusterSpec(nodes=3), replace(context, steps=BreakAt(at="Join workers", fault=occupy)))

    assert isinstance(error, StepError), repr(error)
    assert (error.step, error.node) == ("kubeadm join", "h3")
    assert "10250" in error.output_tail
    done = {
        name: host_lab.run(name, "ls /etc/kubernetes/.e2e-done || true").strip() != "" for name in ("h2", "h3", "h4")
    }
    assert done == {"h2": True, "h3": False, "h4": True}
    host_lab.run("h3", "systemctl stop squatter")
    assert provider.up(ClusterSpec(nodes=3), context).nodes == ("h1", "h2", "h3", "h4")
    end(host_lab, provider, context, before)
