"""What a run creates in Compute Engine: the one table of types, how each is marked, and the bodies. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.kubeadm.balancer import PORT as BALANCER_PORT
from providers.kubeadm.plan import API_PORT
from providers.machines.booted import USER
from providers.machines.gce_settings import GceSettings
from providers.machines.marks import EXPIRES, OWNER, PREFIX, RUN, Mark, described, labelled
from providers.machines.places import Place
from providers.ssh.access import SSH_PORT

MTU = 1500  # GCE's own default of 1460 leaves less to tunnels


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of resource. ``one``: its name in parameters; ``scope``: global, region or zone; ``stage``: of deletion."""

    many: str
    one: str
    message: str
    scope: str
    stage: int
    has_labels: bool

    def mark_text(self) -> str:
        """Return for people how a resource is marked."""
        return f"labels {RUN}, {OWNER}, {EXPIRES}, and the name" if self.has_labels else "name and description, both"

    def mark(self, resource: Mapping[str, Any]) -> Mark | None:
        """Return the mark that a resource carries, or None where it is not ours."""
        if self.has_labels:
            mark = labelled(resource.get("labels", {}))
            return mark if mark and mark.has_named(resource.get("name", "")) else None
        return described(resource.get("name", ""), resource.get("description", ""))

    def filter_of(self, mark: Mark | None) -> str:
        """Return the filter of a list: what one run made, or what any run made."""
        if self.has_labels:
            return f"labels.{RUN}={mark.slug}" if mark else f"labels.{RUN}:*"
        return f"name eq {mark.name('') if mark else PREFIX}.*"


INSTANCE = Kind("instances", "instance", "Instance", "zone", 0, has_labels=True)
FIREWALL = Kind("firewalls", "firewall", "Firewall", "global", 0, has_labels=False)
DISK = Kind("disks", "disk", "Disk", "zone", 1, has_labels=True)
SUBNETWORK = Kind("subnetworks", "subnetwork", "Subnetwork", "region", 1, has_labels=False)
NETWORK = Kind("networks", "network", "Network", "global", 2, has_labels=False)
KINDS = (INSTANCE, FIREWALL, DISK, SUBNETWORK, NETWORK)


def network_body(mark: Mark) -> dict[str, Any]:
    """Return the network of a run."""
    return {
        "name": mark.name("net"),
        "description": mark.description,
        "autoCreateSubnetworks": False,
        "mtu": MTU,
        "routingConfig": {"routingMode": "REGIONAL"},
    }


def subnetwork_body(settings: GceSettings, mark: Mark) -> dict[str, Any]:
    """Return the subnetwork of a run."""
    return {
        "name": mark.name("subnet"),
        "description": mark.description,
        "network": network_link(settings, mark),
        "ipCidrRange": settings.subnet_cidr,
    }


def firewall_bodies(
    settings: GceSettings, mark: Mark, *, runner_cidr: str, pod_cidr: str
) -> tuple[dict[str, Any], ...]:
    """Return what is let in: SSH and the API server from the runner; everything between machines, pods included."""
    common = {
        "description": mark.description,
        "network": network_link(settings, mark),
        "direction": "INGRESS",
        "targetTags": [mark.name("node")],
    }
    ports = sorted({SSH_PORT, API_PORT, BALANCER_PORT})
    return (
        {
            **common,
            "name": mark.name("runner"),
            "sourceRanges": [runner_cidr],
            "allowed": [{"IPProtocol": "tcp", "ports": [str(port) for port in ports]}],
        },
        {
            **common,
            "name": mark.name("nodes"),
            "sourceTags": [mark.name("node")],
            "sourceRanges": [pod_cidr],
            "allowed": [{"IPProtocol": "all"}],
        },
    )


def instance_body(settings: GceSettings, mark: Mark, name: str, place: Place, *, public_key: str) -> dict[str, Any]:
    """Return one machine: its disk goes with it, and only the run's own key opens it."""
    items = {"ssh-keys": f"{USER}:{public_key}", "block-project-ssh-keys": "TRUE", "enable-oslogin": "FALSE"}
    interface: dict[str, Any] = {
        "network": network_link(settings, mark),
        "subnetwork": subnetwork_link(settings, mark),
        "accessConfigs": [{"name": "External NAT", "type": "ONE_TO_ONE_NAT"}],
    }
    body: dict[str, Any] = {
        "name": name,
        "description": mark.description,
        "labels": mark.labels,
        "machineType": f"zones/{place.zone}/machineTypes/{place.machine_type}",
        "canIpForward": True,
        "tags": {"items": [mark.name("node")]},
        "metadata": {"items": [{"key": key, "value": value} for key, value in items.items()]},
        "networkInterfaces": [interface],
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {
                    "sourceImage": settings.image,
                    "diskSizeGb": str(settings.disk_gb),
                    "diskType": f"zones/{place.zone}/diskTypes/pd-balanced",
                    "labels": mark.labels,
                },
            }
        ],
    }
    if settings.spot:
        body["scheduling"] = {
            "provisioningModel": "SPOT",
            "instanceTerminationAction": "STOP",
            "automaticRestart": False,
        }
    return body


def network_link(settings: GceSettings, mark: Mark) -> str:
    """Return the network that the machines are in."""
    return f"projects/{settings.project}/global/networks/{settings.network or mark.name('net')}"


def subnetwork_link(settings: GceSettings, mark: Mark) -> str:
    """Return the subnetwork that the machines are in."""
    name = settings.subnetwork or mark.name("subnet")
    return f"projects/{settings.project}/regions/{settings.region}/subnetworks/{name}"
