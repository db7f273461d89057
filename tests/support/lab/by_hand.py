"""A cluster of kubeadm on two hosts, made as a person makes it who types the commands: what our ``up`` is measured against.

    python -m tests.support.lab.by_hand     # boots two hosts, prints their kubeconfig, removes all at Ctrl-C or end of input

It does the same work as ``up`` (programs, images, runtime, init, join, network, wait) with plain ``ssh`` and scripts,
without any check, record or repair.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from tempfile import TemporaryDirectory

from providers.contracts import Deadline
from providers.releases.images import component, list_argv, read_list
from providers.releases.sources import PINNED, sources_from_env
from providers.releases.versions import resolve
from tests.support.lab.command import run
from tests.support.lab.images import lab_images
from tests.support.lab.labs import Lab, lab
from upload.errors import HarnessError

PROGRAMS = ("kubeadm", "kubelet", "kubectl")
STAGE_S = 600.0
POD_NETWORK = IPv4Network("10.244.0.0/16")
KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
IGNORED = "--ignore-preflight-errors=SystemVerification"  # the first version of control groups
PREPARE = Path(__file__).with_name("by-hand-prepare.sh")

INIT = """apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {{advertiseAddress: {address}}}
nodeRegistration: {{criSocket: "unix:///run/containerd/containerd.sock", imagePullPolicy: IfNotPresent, taints: []}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: {version}
networking: {{podSubnet: {pods}}}
apiServer: {{extraArgs: [{{name: kubelet-preferred-address-types, value: InternalIP}}]}}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failCgroupV1: false
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
conntrack: {{maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}}
"""
CIDRS = f"""until [ "$({KUBECTL} get nodes -o name | wc -l)" = "$1" ]; do sleep 0.2; done
{KUBECTL} wait node --all --for=jsonpath='{{.spec.podCIDR}}' --timeout=60s >&2
{KUBECTL} get nodes -o jsonpath='{{range .items[*]}}{{.metadata.name}} {{.spec.podCIDR}}{{"\\n"}}{{end}}'
"""
CONFLIST = """{{"cniVersion": "1.0.0", "name": "lab", "plugins": [
  {{"type": "ptp", "mtu": 1500, "ipMasq": false, "ipam": {{"type": "host-local", "dataDir": "/run/cni-ipam-state",
   "ranges": [[{{"subnet": "{cidr}"}}]], "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
  {{"type": "portmap", "capabilities": {{"portMappings": true}}}}]}}
"""
READY = f"""{KUBECTL} wait node --all --for=condition=Ready --timeout=120s
{KUBECTL} -n kube-system rollout status daemonset/kube-proxy --timeout=120s
{KUBECTL} -n kube-system rollout status deployment/coredns --timeout=120s
"""


@dataclass(frozen=True, slots=True)
class Supplies:
    """What is there before the clock starts. ``images``: archive for containerd; ``pause``: the name of its image."""

    version: str
    programs: dict[str, Path]
    images: Path
    pause: str


@dataclass(slots=True)
class ByHand:
    """A cluster in the making. ``stages``: what was done, in this order, and how many seconds it took."""

    lab: Lab
    supplies: Supplies
    clock: Callable[[], float] = time.monotonic
    stages: dict[str, float] = field(default_factory=dict)

    def make(self, kubeconfig: Path) -> None:
        """Make a cluster of all hosts of the lab, the first one as its control plane, and write its kubeconfig.

        Raises: CommandError with the end of what a command said, DeadlineExceeded.
        """
        first, *others = self.lab.hosts
        with self._stage("programs, images and runtime"):
            self._each(self._prepare)
        with self._stage("kubeadm init"):
            config = INIT.format(address=first.address, version=self.supplies.version, pods=POD_NETWORK)
            self._on(first.name, f"kubeadm init --config /dev/stdin {IGNORED}", config)
            kubeconfig.write_text(self._on(first.name, "cat /etc/kubernetes/admin.conf"), encoding="utf-8")
            kubeconfig.chmod(0o600)
        with self._stage("kubeadm join"):
            join = self._on(first.name, "kubeadm token create --print-join-command").strip()
            self._each(lambda name: self._on(name, f"{join} {IGNORED}"), [host.name for host in others])
        with self._stage("pod network"):
            said = self._on(first.name, f"set -e\nset -- {len(self.lab.hosts)}\n{CIDRS}")
            cidrs = dict(line.split() for line in said.splitlines())
            self._each(lambda name: self._connect(name, cidrs))
        with self._stage("nodes and system pods ready"):
            self._on(first.name, f"set -e\n{READY}")

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = self.clock()
        yield
        self.stages[name] = self.clock() - started

    def _each(self, step: Callable[[str], object], names: list[str] | None = None) -> None:
        """Do a step on hosts, all at once."""
        chosen = [host.name for host in self.lab.hosts] if names is None else names
        with ThreadPoolExecutor(len(chosen)) as pool:
            list(pool.map(step, chosen))

    def _on(self, name: str, script: str, stdin: str = "") -> str:
        return self.lab.run(name, script, stdin=stdin.encode(), timeout_s=STAGE_S)

    def _prepare(self, name: str) -> None:
        config = str(self.lab.ssh_config)
        sources = list(map(str, self.supplies.programs.values()))
        run("scp", "-q", "-F", config, *sources, f"{name}:/usr/local/bin/", timeout_s=STAGE_S)
        self._on(name, f"set -e\nset -- '{self.supplies.pause}'\n{PREPARE.read_text(encoding='utf-8')}")
        import_images = 'exec ssh -F "$1" "$2" ctr --namespace k8s.io images import - < "$3"'
        run("sh", "-c", import_images, "import", config, name, str(self.supplies.images), timeout_s=STAGE_S)

    def _connect(self, name: str, cidrs: dict[str, str]) -> None:
        routes = [
            f"ip route replace {cidrs[host.name]} via {host.address}" for host in self.lab.hosts if host.name != name
        ]
        masquerade = f"iptables -t nat -A POSTROUTING -s {POD_NETWORK} ! -d {POD_NETWORK} -j MASQUERADE"
        write = "mkdir -p /etc/cni/net.d; cat > /etc/cni/net.d/10-lab.conflist"
        self._on(name, "\n".join(("set -e", *routes, masquerade, write)), CONFLIST.format(cidr=cidrs[name]))


def supplies() -> Supplies:
    """Return what a cluster of the pinned version is made of. The first call on a machine builds it, for minutes."""
    sources, deadline = sources_from_env(os.environ), Deadline.after(STAGE_S, "building programs")
    programs = resolve("pinned", sources=sources, deadline=deadline).ensure(PROGRAMS, deadline=deadline)
    names = read_list(run(*list_argv(str(programs["kubeadm"]), PINNED)))
    pause = next(name for name in names if component(name) == "pause")
    return Supplies(PINNED, {name: Path(programs[name]) for name in PROGRAMS}, lab_images(PINNED, sources), pause)


def main() -> int:
    """Hold a cluster of two hosts until the input ends, and return an exit code."""
    try:
        things = supplies()
        with TemporaryDirectory() as folder, lab(2) as two:
            cluster, kubeconfig = ByHand(two, things), Path(folder, "kubeconfig")
            cluster.make(kubeconfig)
            for name, seconds in cluster.stages.items():
                print(f"{seconds:6.1f} s  {name}")
            print(f"{sum(cluster.stages.values()):6.1f} s  in all", f"ssh -F {two.ssh_config} h1", sep="\n")
            print(f"export KUBECONFIG={kubeconfig}", flush=True)
            with suppress(KeyboardInterrupt):
                sys.stdin.read()
    except HarnessError as error:
        print("\n".join(filter(None, (str(error), error.hint))), file=sys.stderr)
        return error.outcome.value.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
