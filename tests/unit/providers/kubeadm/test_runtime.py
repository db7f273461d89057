"""What containerd reads agrees with what the kubelet reads."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from providers.kubeadm.plan import ClusterPlan
from providers.kubeadm.runtime import config_toml, pause_image
from upload.errors import StepError

PAUSE = "registry.example/pause:3.10.2"
CRI = "io.containerd.grpc.v1.cri"


def test_pods_of_a_manifest_find_the_folder_for_their_plugins() -> None:
    plan = ClusterPlan("v1.36.3", "a:6443", "10.244.0.0/16", "10.96.0.0/16", manifest=Path("calico.yaml"))

    found = tomllib.loads(config_toml(plan, PAUSE))

    assert found["plugins"][CRI]["cni"]["bin_dir"] == "/opt/cni/bin"


@pytest.mark.parametrize(
    ("patches", "is_systemd"),
    [
        pytest.param({}, True, id="systemd"),
        pytest.param({"KubeletConfiguration": {"cgroupDriver": "cgroupfs"}}, False, id="a patch of the kubelet's"),
    ],
)
def test_containerd_follows_the_kubelet(patches: dict[str, Any], is_systemd: bool) -> None:
    plan = ClusterPlan("v1.36.3", "a:6443", "10.244.0.0/16", "10.96.0.0/16", patches=patches)

    assert tomllib.loads(config_toml(plan, PAUSE)) == {
        "version": 2,
        "plugins": {
            "io.containerd.internal.v1.opt": {"path": "/var/lib/containerd"},
            CRI: {
                "sandbox_image": PAUSE,
                "restrict_oom_score_adj": True,
                "cni": {"bin_dir": "/usr/lib/cni", "conf_dir": "/etc/cni/net.d"},
                "registry": {"config_path": "/etc/containerd/certs.d"},
                "containerd": {
                    "snapshotter": "overlayfs",
                    "runtimes": {
                        "runc": {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": is_systemd}}
                    },
                },
            },
        },
    }


def test_the_image_of_pause_is_found_by_what_it_is() -> None:
    assert pause_image(("registry.example/a/pausing:1", PAUSE)) == PAUSE
    with pytest.raises(StepError, match="no image of pause"):
        pause_image(("registry.example/etcd:3",))
