"""Pods that a manifest of the user's connects, on a real host."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.plugin.images import Images
from providers.contracts import ClusterSpec
from tests.hosts.clusters import differences, lab_context, lab_provider, states
from tests.support.lab import Lab
from tests.support.lab.fixtures import FreshHosts

pytestmark = [pytest.mark.hosts, pytest.mark.slow, pytest.mark.full, pytest.mark.timeout(900)]

# a network for one node, which its own pod writes down, as those of Calico and flannel do
MANIFEST = """apiVersion: v1
kind: ConfigMap
metadata: {name: net, namespace: kube-system}
data:
  10-net.conflist: |
    {"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "ptp", "ipMasq": true, "ipam": {"type": "host-local",
     "dataDir": "/run/cni-ipam-state", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: net, namespace: kube-system}
spec:
  selector: {matchLabels: {app: net}}
  template:
    metadata: {labels: {app: net}}
    spec:
      hostNetwork: true
      tolerations: [{operator: Exists}]
      containers:
      - name: net
        image: IMAGE
        securityContext: {capabilities: {add: [NET_ADMIN]}}
        command: [sh, -c, "ip link add cni0 type bridge; ls /plugins/ptp && touch /plugins/theirs && cp /net/10-net.conflist /etc/cni/net.d/ && sleep 100000"]
        volumeMounts:
        - {name: net, mountPath: /net}
        - {name: etc, mountPath: /etc/cni/net.d}
        - {name: plugins, mountPath: /plugins}
      terminationGracePeriodSeconds: 0
      volumes:
      - {name: net, configMap: {name: net}}
      - {name: etc, hostPath: {path: /etc/cni/net.d}}
      - {name: plugins, hostPath: {path: /opt/cni/bin}}
"""


def test_a_manifest_connects_the_pods(host_lab: Lab, fresh_hosts: FreshHosts, tmp_path: Path) -> None:
    hosts = fresh_hosts(1)
    host_lab.run("h1", "mkdir -p /opt/cni/bin; echo mine > /opt/cni/bin/mine; echo mine > /opt/cni/bin/dhcp")
    before = states(host_lab, hosts)
    manifest = tmp_path / "net.yaml"
    manifest.write_text(MANIFEST.replace("IMAGE", Images.upstream().busybox))
    provider, context = lab_provider(hosts), lab_context(tmp_path / "c1", hosts)
    spec = ClusterSpec(nodes=0, network=str(manifest))

    cluster = provider.up(spec, context)  # ends with a pod that answers

    assert cluster.nodes == ("h1",)
    assert host_lab.run("h1", "ls /etc/cni/net.d; cat /opt/cni/bin/dhcp").split() == ["10-net.conflist", "mine"]
    assert host_lab.run("h1", "ls -d /opt/cni/bin/theirs /sys/class/net/cni0").splitlines()
    assert provider.up(spec, context) == cluster
    provider.down(context)
    left = differences(before, states(host_lab, hosts))
    assert left == [], "\n".join(left)
