"""One address for several control planes in Azure: a load balancer of the run, and the rules that let its clients in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from providers.machines.azure_api import AzureApi
from providers.machines.azure_resources import (
    ADDRESS,
    API,
    BALANCER,
    GROUP,
    LINK,
    RULES,
    Kind,
    address_body,
    balancer_body,
    link_body,
)
from providers.machines.azure_settings import AzureSettings
from providers.machines.beside import gather
from providers.machines.marks import Mark
from upload.errors import ProviderError


def balance(api: AzureApi, settings: AzureSettings, mark: Mark, names: Sequence[str], rules: Mapping[str, Any]) -> str:
    """Have at least these control planes behind the run's load balancer, and return its address.

    ``rules``: the body of the security group that lets in what the load balancer sees as clients: the runner and, since
    machines come by their own public addresses, those. Raises: ProviderError, DeadlineExceeded.
    """
    _make(api, ADDRESS, mark, address_body(settings, mark))
    jobs = {
        "rules": partial(api.create, RULES, mark.name(GROUP), mark.name("rules"), rules),
        "balancer": partial(_make, api, BALANCER, mark, balancer_body(settings, mark)),
    }
    gather(api, "making the load balancer", jobs)
    gather(
        api, "handing on to control planes", {name: partial(_put_behind, api, settings, mark, name) for name in names}
    )
    return address_of(api, mark, API)


def _make(api: AzureApi, kind: Kind, mark: Mark, body: dict[str, Any]) -> None:
    there = api.get(kind, mark.name(GROUP), mark.name(API))
    if there is None or there.get("properties", {}).get("provisioningState") != "Succeeded":
        api.create(kind, mark.name(GROUP), mark.name(API), body)


def _put_behind(api: AzureApi, settings: AzureSettings, mark: Mark, node: str) -> None:
    there = api.get(LINK, mark.name(GROUP), mark.name(node)) or {}
    if "loadBalancerBackendAddressPools" not in str(there.get("properties", {}).get("ipConfigurations", "")):
        api.create(LINK, mark.name(GROUP), mark.name(node), link_body(settings, mark, node, balanced=True))


def address_of(api: AzureApi, mark: Mark, role: str) -> str:
    """Return the public address of a machine, or of the load balancer. Raises: ProviderError."""
    shown = api.get(ADDRESS, mark.name(GROUP), mark.name(role)) or {}
    if address := shown.get("properties", {}).get("ipAddress"):
        return str(address)
    raise ProviderError(f"{mark.name(role)} in Azure has no ipAddress")
