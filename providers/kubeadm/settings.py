"""What a config may say about a cluster that kubeadm makes, whoever makes the machines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

Kind = Literal[
    "InitConfiguration",
    "JoinConfiguration",
    "ClusterConfiguration",
    "KubeletConfiguration",
    "KubeProxyConfiguration",
    "UpgradeConfiguration",
]
# what the run itself must decide, by the path of keys
RESERVED = (
    ("apiVersion",),
    ("kind",),
    ("bootstrapTokens",),
    ("discovery",),
    ("certificateKey",),
    ("localAPIEndpoint",),
    ("controlPlane",),
    ("nodeRegistration", "name"),
    ("kubernetesVersion",),
    ("apply", "kubernetesVersion"),
    ("controlPlaneEndpoint",),
    ("networking",),
    ("imageRepository",),
)
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):(?P<port>[1-9][0-9]{0,4})")


def _host_port(text: str) -> str:
    found = _HOST_PORT.fullmatch(text)
    if not found or int(found["port"]) > 65535:
        raise ValueError("expected host:port, an IPv6 address in brackets")
    return text


class KubeadmSettings(BaseModel):
    """What machines' providers have in common. A maker's Settings inherit it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    control_plane_endpoint: Annotated[str, AfterValidator(_host_port)] | None = Field(
        default=None,
        description="host:port at which every control plane is reached; without it the first control plane's own, or"
        " haproxy on it where there are several",
    )
    programs: Literal["copied", "fetched"] = Field(
        default="copied",
        description="copied: from here to each machine; fetched: by each machine where a release publishes them",
    )
    patches: Mapping[Kind, Mapping[str, Any]] = Field(
        default_factory=dict,
        description="kind of a document that kubeadm reads -> what is merged into it: mappings by key, lists of items"
        " with a name by that name, null removes, anything else replaces",
    )

    @field_validator("patches")
    @classmethod
    def _reserves(cls, patches: Mapping[Kind, Mapping[str, Any]]) -> Mapping[Kind, Mapping[str, Any]]:
        for kind, patch in patches.items():
            for path in _paths(patch):
                if path in RESERVED:
                    raise ValueError(f"{kind}.{'.'.join(path)} is set by the provider")
        if patches.get("KubeProxyConfiguration", {}).get("mode") == "ipvs":
            raise ValueError(
                "KubeProxyConfiguration.mode ipvs leaves on machines what cannot be told from others': use nftables"
            )
        return patches


def _paths(patch: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of a patch, two keys deep at most."""
    for key, value in patch.items():
        yield (*above, key)
        if isinstance(value, Mapping) and not above:
            yield from _paths(value, (key,))
