"""The documents that kubeadm is given, as text: they are rendered here and go to the machines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from providers.kubeadm.plan import API_PORT, CRI_SOCKET, MADE_BY, Bootstrap, ClusterPlan, Member

_API = "kubeadm.k8s.io/v1beta4"


def init_documents(plan: ClusterPlan, first: Member, bootstrap: Bootstrap) -> str:
    """Return what ``kubeadm init --config`` reads on the first control plane. It holds the token."""
    init = {
        "apiVersion": _API,
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"token": bootstrap.token, "ttl": f"{bootstrap.ttl_s}s", "description": MADE_BY}],
        "certificateKey": bootstrap.certificate_key,
        "localAPIEndpoint": {"advertiseAddress": first.address, "bindPort": API_PORT},
        "nodeRegistration": _registration(first, plan),
    }
    return _text(plan, init, _cluster(plan), kubelet(plan), _kube_proxy())


def join_document(
    plan: ClusterPlan, member: Member, bootstrap: Bootstrap, *, ca_hash: str, is_control_plane: bool
) -> str:
    """Return what ``kubeadm join --config`` reads on another machine. It holds the token.

    ``ca_hash`` is ``sha256:`` and 64 hex digits, of the public key of the cluster's authority.
    """
    discovery = {"apiServerEndpoint": plan.endpoint, "token": bootstrap.token, "caCertHashes": [ca_hash]}
    join: dict[str, Any] = {
        "apiVersion": _API,
        "kind": "JoinConfiguration",
        "discovery": {"bootstrapToken": discovery},
        "nodeRegistration": _registration(member, plan if is_control_plane else None),
    }
    if is_control_plane:
        endpoint = {"advertiseAddress": member.address, "bindPort": API_PORT}
        join["controlPlane"] = {"localAPIEndpoint": endpoint, "certificateKey": bootstrap.certificate_key}
    return _text(plan, join)


def upgrade_document(plan: ClusterPlan) -> str:
    """Return what ``kubeadm upgrade apply --config`` and ``upgrade node --config`` read."""
    apply = {"kubernetesVersion": plan.version, "allowExperimentalUpgrades": True, "allowRCUpgrades": True}
    upgrade: dict[str, Any] = {
        "apiVersion": _API,
        "kind": "UpgradeConfiguration",
        "apply": {**apply, "imagePullPolicy": "IfNotPresent"},
        "node": {"imagePullPolicy": "IfNotPresent"},
    }
    return _text(plan, upgrade)


def kubelet(plan: ClusterPlan) -> dict[str, Any]:
    """Return the kubelet's document with the patches in it: the container runtime must agree with it."""
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
    }
    return merged(document, plan.patches.get("KubeletConfiguration", {}))


def merged(base: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``patch`` in it: mappings are merged, null removes, named items of lists are told by name.

    So RFC 7386, but for lists such as ``extraArgs``: replacing those would drop what we set ourselves.
    """
    whole = dict(base)
    for key, value in patch.items():
        if value is None:
            whole.pop(key, None)
        elif isinstance(value, Mapping):
            below = whole.get(key)
            whole[key] = merged(below if isinstance(below, Mapping) else {}, value)
        elif _is_named(value) and _is_named(whole.get(key)):
            whole[key] = list({item["name"]: item for item in (*whole[key], *value)}.values())
        else:
            whole[key] = value
    return whole


def _is_named(value: Any) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    return is_list and all(isinstance(item, Mapping) and "name" in item for item in value)


def _registration(member: Member, control_plane: ClusterPlan | None) -> dict[str, Any]:
    registration: dict[str, Any] = {
        "name": member.name,
        "criSocket": CRI_SOCKET,
        "imagePullPolicy": "IfNotPresent",
        # a machine of several addresses would else be known by the one of its default route
        "kubeletExtraArgs": [{"name": "node-ip", "value": member.address}],
    }
    if control_plane and not control_plane.tainted:
        registration["taints"] = []
    return registration


def _cluster(plan: ClusterPlan) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": "ClusterConfiguration",
        "kubernetesVersion": plan.version,  # else kubeadm asks the internet for the newest
        "controlPlaneEndpoint": plan.endpoint,
        **({"imageRepository": plan.repository} if plan.repository else {}),
        "networking": {
            "podSubnet": plan.pod_cidr,
            "serviceSubnet": plan.service_cidr,
            "dnsDomain": "cluster.local",
        },
        "apiServer": {
            # logs and exec go from the API server to the kubelet, and names of machines need not resolve
            "extraArgs": [{"name": "kubelet-preferred-address-types", "value": "InternalIP"}],
            **({"certSANs": list(plan.names)} if plan.names else {}),
        },
    }


def _kube_proxy() -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        # zeros leave the kernel's settings alone: some are of the whole machine, and none would be put back
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def _text(plan: ClusterPlan, *documents: dict[str, Any]) -> str:
    patched = [merged(document, plan.patches.get(document["kind"], {})) for document in documents]
    return yaml.safe_dump_all(patched, sort_keys=False)
