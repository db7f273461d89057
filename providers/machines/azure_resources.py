"""What a run creates in Azure: one resource group with everything in it, and the bodies. Pure functions.

The group carries the mark as tags, and so does each thing in it, for those who look at bills. Only whole groups are
looked for and deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from providers.kubeadm.balancer import PORT as BALANCER_PORT
from providers.kubeadm.plan import API_PORT
from providers.machines.azure_settings import AzureSettings
from providers.machines.booted import USER
from providers.machines.marks import RUN, Mark
from providers.machines.places import Place
from providers.ssh.access import SSH_PORT

GROUP = "group"
API = "api"  # the role of what belongs to the load balancer


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of resource. ``service``: the SDK that has it; ``operations``: under which name; ``one``: for messages."""

    service: str
    operations: str
    one: str


NETWORK = Kind("network", "virtual_networks", "virtual network")
RULES = Kind("network", "network_security_groups", "network security group")
ADDRESS = Kind("network", "public_ip_addresses", "public address")
LINK = Kind("network", "network_interfaces", "network interface")
BALANCER = Kind("network", "load_balancers", "load balancer")
MACHINE = Kind("compute", "virtual_machines", "machine")
KINDS = (
    NETWORK,
    RULES,
    ADDRESS,
    LINK,
    BALANCER,
    MACHINE,
)  # all that is made in a run's group; a disk comes with its machine


def group_filter(mark: Mark | None) -> str:
    """Return the filter of a list of resource groups: those of one run, or of any run."""
    return f"tagName eq '{RUN}'" + (f" and tagValue eq '{mark.slug}'" if mark else "")


def group_body(settings: AzureSettings, mark: Mark) -> dict[str, Any]:
    """Return the resource group of a run."""
    return _marked(settings, mark)


def network_body(settings: AzureSettings, mark: Mark) -> dict[str, Any]:
    """Return the network with its one subnet."""
    subnet = {"name": "nodes", "properties": {"addressPrefix": settings.subnet_cidr}}
    space = {"addressPrefixes": [settings.subnet_cidr]}
    return {**_marked(settings, mark), "properties": {"addressSpace": space, "subnets": [subnet]}}


def rules_body(
    settings: AzureSettings, mark: Mark, *, runner_cidr: str, pod_cidr: str, peers: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what is let in: SSH and the API server from the runner; everything between machines, pods included.

    ``peers``: the machines' own public addresses, from which they come to a load balancer.
    """
    common = {"direction": "Inbound", "access": "Allow", "sourcePortRange": "*", "destinationAddressPrefix": "*"}
    ports = [str(port) for port in sorted({SSH_PORT, API_PORT, BALANCER_PORT})]
    runner = {
        **common,
        "priority": 100,
        "protocol": "Tcp",
        "sourceAddressPrefix": runner_cidr,
        "destinationPortRanges": ports,
    }
    nodes = {
        **common,
        "priority": 110,
        "protocol": "*",
        "sourceAddressPrefixes": [settings.subnet_cidr, pod_cidr],
        "destinationPortRange": "*",
    }
    rules = [{"name": "runner", "properties": runner}, {"name": "nodes", "properties": nodes}]
    if peers:
        api = {"priority": 120, "protocol": "Tcp", "destinationPortRange": str(API_PORT)}
        rules.append({"name": "peers", "properties": {**common, **api, "sourceAddressPrefixes": sorted(peers)}})
    return {**_marked(settings, mark), "properties": {"securityRules": rules}}


def address_body(settings: AzureSettings, mark: Mark) -> dict[str, Any]:
    """Return a machine's address for the runner."""
    allocated = {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"}
    return {**_marked(settings, mark), "sku": {"name": "Standard"}, "properties": allocated}


def balancer_body(settings: AzureSettings, mark: Mark) -> dict[str, Any]:
    """Return the load balancer of the API servers. Whom it hands on to is told by their network interfaces.

    Machines go out by their own addresses, so it takes no part in that.
    """
    own, networks = _balancer(settings, mark), _networks(settings, mark)
    front = {"publicIPAddress": {"id": f"{networks}/publicIPAddresses/{mark.name(API)}"}}
    probe = {"protocol": "Tcp", "port": API_PORT, "intervalInSeconds": 5, "probeThreshold": 2}
    rule = {
        "frontendIPConfiguration": {"id": f"{own}/frontendIPConfigurations/{API}"},
        "backendAddressPool": {"id": f"{own}/backendAddressPools/{API}"},
        "probe": {"id": f"{own}/probes/{API}"},
        "protocol": "Tcp",
        "frontendPort": API_PORT,
        "backendPort": API_PORT,
        "idleTimeoutInMinutes": 30,
        "enableTcpReset": True,
        "disableOutboundSnat": True,
    }
    properties = {
        "frontendIPConfigurations": [{"name": API, "properties": front}],
        "backendAddressPools": [{"name": API}],
        "probes": [{"name": API, "properties": probe}],
        "loadBalancingRules": [{"name": API, "properties": rule}],
    }
    return {**_marked(settings, mark), "sku": {"name": "Standard"}, "properties": properties}


def link_body(settings: AzureSettings, mark: Mark, node: str, *, balanced: bool = False) -> dict[str, Any]:
    """Return a machine's network interface; what it forwards are the packets of its pods.

    ``balanced``: the load balancer hands on to it.
    """
    networks = _networks(settings, mark)
    ip: dict[str, Any] = {
        "primary": True,
        "privateIPAllocationMethod": "Dynamic",
        "subnet": {"id": f"{networks}/virtualNetworks/{mark.name('net')}/subnets/nodes"},
        "publicIPAddress": {"id": f"{networks}/publicIPAddresses/{mark.name(node)}"},
    }
    if balanced:
        pool = f"{_balancer(settings, mark)}/backendAddressPools/{API}"
        ip["loadBalancerBackendAddressPools"] = [{"id": pool}]
    properties = {
        "enableIPForwarding": True,
        "networkSecurityGroup": {"id": f"{networks}/networkSecurityGroups/{mark.name('rules')}"},
        "ipConfigurations": [{"name": "first", "properties": ip}],
    }
    return {**_marked(settings, mark), "properties": properties}


def machine_body(settings: AzureSettings, mark: Mark, node: str, place: Place, *, public_key: str) -> dict[str, Any]:
    """Return one machine; its disk goes with it, its network interface stays for another try elsewhere."""
    publisher, offer, sku, version = settings.image.split(":")
    link = f"{_networks(settings, mark)}/networkInterfaces/{mark.name(node)}"
    key = {"path": f"/home/{USER}/.ssh/authorized_keys", "keyData": public_key}
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": place.machine_type},
        "storageProfile": {
            "imageReference": {"publisher": publisher, "offer": offer, "sku": sku, "version": version},
            "osDisk": {
                "createOption": "FromImage",
                "deleteOption": "Delete",
                "diskSizeGB": settings.disk_gb,
                "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
            },
        },
        "osProfile": {
            "computerName": node,
            "adminUsername": USER,
            "linuxConfiguration": {"disablePasswordAuthentication": True, "ssh": {"publicKeys": [key]}},
        },
        "networkProfile": {
            "networkInterfaces": [{"id": link, "properties": {"primary": True, "deleteOption": "Detach"}}]
        },
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    if settings.spot:
        properties |= {"priority": "Spot", "evictionPolicy": "Deallocate", "billingProfile": {"maxPrice": -1}}
    zones = {"zones": [place.zone]} if settings.zones else {}
    return {**_marked(settings, mark), **zones, "properties": properties}


def _balancer(settings: AzureSettings, mark: Mark) -> str:
    return f"{_networks(settings, mark)}/loadBalancers/{mark.name(API)}"


def _networks(settings: AzureSettings, mark: Mark) -> str:
    """Return how the ids of what is in the run's network begin."""
    group = mark.name(GROUP)
    return f"/subscriptions/{settings.subscription}/resourceGroups/{group}/providers/Microsoft.Network"


def _marked(settings: AzureSettings, mark: Mark) -> dict[str, Any]:
    return {"location": settings.location, "tags": mark.labels}
