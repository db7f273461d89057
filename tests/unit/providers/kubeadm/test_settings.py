"""What a config may say about kubeadm is checked where it is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from providers.kubeadm.settings import KubeadmSettings


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"control_plane_endpoint": "api.example.test"}, "expected host:port"),
        ({"control_plane_endpoint": "fd00::1:6443"}, "expected host:port"),
        ({"control_plane_endpoint": "a:70000"}, "expected host:port"),
        ({"control_plane_endpoint": "$(id):6443"}, "expected host:port"),
        ({"programs": "downloaded"}, "'copied' or 'fetched'"),
        ({"patches": {"KubletConfiguration": {}}}, "'KubeletConfiguration'"),
        ({"patches": {"InitConfiguration": {"kind": "Secret"}}}, "InitConfiguration.kind is set by the provider"),
        ({"patches": {"InitConfiguration": {"bootstrapTokens": []}}}, "InitConfiguration.bootstrapTokens is set"),
        (
            {"patches": {"JoinConfiguration": {"nodeRegistration": {"name": "x"}}}},
            "JoinConfiguration.nodeRegistration.name is set",
        ),
        ({"patches": {"UpgradeConfiguration": {"apply": {"kubernetesVersion": "v1.0.0"}}}}, "kubernetesVersion is set"),
        ({"patches": {"ClusterConfiguration": {"imageRepository": "evil.example"}}}, "imageRepository is set"),
        ({"patches": {"KubeProxyConfiguration": {"mode": "ipvs"}}}, "use nftables"),
        ({"user": "root"}, "Extra inputs"),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_refused(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        KubeadmSettings.model_validate(section)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    "section",
    [
        {"control_plane_endpoint": "api.example.test:6443"},
        {"control_plane_endpoint": "[fd00::1]:8443"},
        {"programs": "fetched"},
        {"patches": {"KubeletConfiguration": {"cgroupDriver": "cgroupfs", "maxPods": 20}}},
        {"patches": {"KubeProxyConfiguration": {"mode": "nftables"}}},
        {"patches": {"InitConfiguration": {"nodeRegistration": {"taints": [], "ignorePreflightErrors": ["Swap"]}}}},
    ],
    ids=str,
)
def test_what_is_right_is_kept(section: dict[str, Any]) -> None:
    assert KubeadmSettings.model_validate(section).model_dump(exclude_defaults=True) == section
