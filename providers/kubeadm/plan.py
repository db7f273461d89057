"""The values that kubeadm's documents are rendered from."""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CRI_SOCKET = "unix:///run/containerd/containerd.sock"
API_PORT = 6443
KUBECONFIG = "kubeconfig"  # the administrator's, in the private folder of the cluster
TOKEN_TTL_S = 30 * 60
MADE_BY = "federated-e2e"  # by which tokens of earlier calls are known

_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Member:
    """One machine as a node of the cluster: the name it registers, and the address that the others reach it by."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What lets machines join: made for one ``up``, never shown, gone from the cluster after the last join.

    ``certificate_key``: hex, what control planes decrypt the cluster's keys with.
    """

    token_id: str
    token_secret: str = field(repr=False)
    certificate_key: str = field(repr=False)
    ttl_s: int = TOKEN_TTL_S

    @property
    def token(self) -> str:
        """The token in kubeadm's form."""
        return f"{self.token_id}.{self.token_secret}"


def new_bootstrap() -> Bootstrap:
    """Return fresh random values. Forms: kubeadm's token is 6 and 16 of a-z0-9, its certificate key 32 bytes in hex."""

    def word(length: int) -> str:
        return "".join(secrets.choice(_LETTERS) for _ in range(length))

    return Bootstrap(word(6), word(16), secrets.token_hex(32))


def host_port(host: str, port: int) -> str:
    """Return both as one text, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """What is the same for every node. ``endpoint`` is ``host:port``, an IPv6 host in brackets.

    ``names``: by which the API server is reached besides; ``patches`` is kind of a document → what is merged into it;
    ``repository``: where images come from instead of Kubernetes's own registry; ``network``: vxlan or routes, where there is no ``manifest``;
    ``tainted``: false where control planes run pods as there are no workers; ``balanced``: true where the endpoint is
    served for all control planes by a machine of ours.
    """

    version: str
    endpoint: str
    pod_cidr: str
    service_cidr: str
    network: str = "vxlan"
    manifest: Path | None = None
    names: tuple[str, ...] = ()
    repository: str = ""
    tainted: bool = True
    balanced: bool = False
    patches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
