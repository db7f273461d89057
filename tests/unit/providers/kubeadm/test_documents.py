"""The documents for kubeadm are whole, and patches of a job reach each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from providers.kubeadm.documents import init_documents, join_document, merged, upgrade_document
from providers.kubeadm.plan import Bootstrap, ClusterPlan, Member, new_bootstrap

PLAN = ClusterPlan("v1.36.3", "10.66.0.11:6443", "10.244.0.0/16", "10.96.0.0/16")
BOOTSTRAP = Bootstrap("abcdef", "0123456789abcdef", "c0ffee", 900)
FIRST, WORKER = Member("cp1", "10.66.0.11"), Member("w1", "10.66.0.12")
HASH = "sha256:" + "a" * 64


def registration(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "criSocket": "unix:///run/containerd/containerd.sock",
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": [{"name": "node-ip", "value": member.address}],
    }


def init(plan: ClusterPlan = PLAN) -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in yaml.safe_load_all(init_documents(plan, FIRST, BOOTSTRAP))}


def test_upgrade_names_its_version_and_takes_patches() -> None:
    patch = {"apply": {"ignorePreflightErrors": ["Swap"]}, "node": {"etcdUpgrade": False}}

    text = upgrade_document(replace(PLAN, patches={"UpgradeConfiguration": patch}))

    assert yaml.safe_load(text) == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "UpgradeConfiguration",
        "apply": {
            "kubernetesVersion": "v1.36.3",
            "allowExperimentalUpgrades": True,
            "allowRCUpgrades": True,
            "imagePullPolicy": "IfNotPresent",
            "ignorePreflightErrors": ["Swap"],
        },
        "node": {"imagePullPolicy": "IfNotPresent", "etcdUpgrade": False},
    }


def test_init_has_four_documents() -> None:
    assert init() == {
        "InitConfiguration": {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "bootstrapTokens": [{"token": "abcdef.0123456789abcdef", "ttl": "900s", "description": "federated-e2e"}],
            "certificateKey": "c0ffee",
            "localAPIEndpoint": {"advertiseAddress": "10.66.0.11", "bindPort": 6443},
            "nodeRegistration": registration(FIRST),
        },
        "ClusterConfiguration": {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": "v1.36.3",
            "controlPlaneEndpoint": "10.66.0.11:6443",
            "networking": {
                "podSubnet": "10.244.0.0/16",
                "serviceSubnet": "10.96.0.0/16",
                "dnsDomain": "cluster.local",
            },
            "apiServer": {"extraArgs": [{"name": "kubelet-preferred-address-types", "value": "InternalIP"}]},
        },
        "KubeletConfiguration": {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "cgroupDriver": "systemd",
        },
        "KubeProxyConfiguration": {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        },
    }


@pytest.mark.parametrize(
    ("plan", "kind", "key", "value"),
    [
        pytest.param(
            replace(PLAN, tainted=False), "InitConfiguration", "nodeRegistration", {**registration(FIRST), "taints": []},
            id="without workers control planes run pods",
        ),
        pytest.param(
            replace(PLAN, repository="mirror.example"), "ClusterConfiguration", "imageRepository", "mirror.example",
            id="images from elsewhere",
        ),
        pytest.param(
            replace(PLAN, names=("192.0.2.1",)), "ClusterConfiguration", "apiServer",
            {
                "extraArgs": [{"name": "kubelet-preferred-address-types", "value": "InternalIP"}],
                "certSANs": ["192.0.2.1"],
            },
            id="another address for us",
        ),
        pytest.param(
            replace(PLAN, patches={"ClusterConfiguration": {"apiServer": {"extraArgs": [{"name": "v", "value": "4"}]}}}),
            "ClusterConfiguration", "apiServer",
            {
                "extraArgs": [
                    {"name": "kubelet-preferred-address-types", "value": "InternalIP"},
                    {"name": "v", "value": "4"},
                ]
            },
            id="a patch keeps our own arguments",
        ),
    ],
)  # fmt: skip
def test_a_plan_changes_one_key(plan: ClusterPlan, kind: str, key: str, value: object) -> None:
    wanted = init()
    wanted[kind][key] = value

    assert init(plan) == wanted


@pytest.mark.parametrize("is_control_plane", [False, True], ids=["worker", "control plane"])
def test_a_machine_joins_only_the_authority_of_the_cluster(is_control_plane: bool) -> None:
    text = join_document(PLAN, WORKER, BOOTSTRAP, ca_hash=HASH, is_control_plane=is_control_plane)

    part = {
        "localAPIEndpoint": {"advertiseAddress": "10.66.0.12", "bindPort": 6443},
        "certificateKey": "c0ffee",
    }
    assert yaml.safe_load(text) == {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": "10.66.0.11:6443",
                "token": "abcdef.0123456789abcdef",
                "caCertHashes": [HASH],
            }
        },
        "nodeRegistration": registration(WORKER),
        **({"controlPlane": part} if is_control_plane else {}),
    }


def test_what_lets_machines_join_is_new_each_time_and_not_shown() -> None:
    made = new_bootstrap()

    assert made != new_bootstrap()
    assert repr(BOOTSTRAP) == "Bootstrap(token_id='abcdef', ttl_s=900)"
    assert (len(made.token_id), len(made.token_secret), len(made.certificate_key)) == (6, 16, 64)


@pytest.mark.parametrize(
    ("base", "patch", "whole"),
    [
        pytest.param({"a": "b"}, {"a": "c"}, {"a": "c"}, id="replaces"),
        pytest.param({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}, id="removes"),
        pytest.param({"a": ["b"]}, {"a": "c"}, {"a": "c"}, id="a list by a text"),
        pytest.param({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}, id="below"),
        pytest.param({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}, id="lists are whole"),
        pytest.param({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}, id="null in what is new"),
        pytest.param(
            {"a": [{"name": "x", "value": 1}, {"name": "y", "value": 1}]},
            {"a": [{"name": "y", "value": 2}, {"name": "z", "value": 3}]},
            {"a": [{"name": "x", "value": 1}, {"name": "y", "value": 2}, {"name": "z", "value": 3}]},
            id="named items by name",
        ),
        pytest.param({"a": [{"name": "x"}]}, {"a": []}, {"a": [{"name": "x"}]}, id="no items take no named ones away"),
    ],
)
def test_patches_merge(base: dict[str, Any], patch: dict[str, Any], whole: dict[str, Any]) -> None:
    """Most rows are of appendix A of RFC 7386."""
    assert merged(base, patch) == whole
