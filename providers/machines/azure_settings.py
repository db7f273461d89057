"""The section ``provider:`` of a config with ``name: azure``."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from providers.machines.prices import PricedSettings
from providers.machines.runner import Cidr

UBUNTU = "Canonical:ubuntu-24_04-lts:server:latest"
Part = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"


class AzureSettings(PricedSettings):
    """What a config says about machines in Azure."""

    subscription: Annotated[
        str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
    ] = Field(description="id of the subscription that the machines are made in")
    location: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{2,39}$")] = Field(
        description="region, such as westeurope"
    )
    zones: tuple[Annotated[str, StringConstraints(pattern=r"^[1-9]$")], ...] = Field(
        default=(),
        strict=False,
        max_length=9,
        description="availability zones in the order they are tried, such as '1'; without them Azure chooses",
    )
    machine_types: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9_-]{2,62}$")], ...] = Field(
        default=("Standard_D4s_v5",),
        strict=False,
        min_length=1,
        max_length=20,
        description="sizes of machines in the order they are tried, each in every zone before the next",
    )
    image: Annotated[str, StringConstraints(pattern=rf"^{Part}:{Part}:{Part}:{Part}$")] = Field(
        default=UBUNTU, description="publisher:offer:sku:version of the machines' image"
    )
    disk_gb: int = Field(default=50, ge=30, le=2000, description="size of each machine's disk, in GB")
    spot: bool = Field(default=False, description="cheaper machines that may be taken away at any time")
    subnet_cidr: Cidr = Field(default="10.10.0.0/20", description="addresses of the machines")
    runner_cidr: Cidr | None = Field(
        default=None,
        description="from where SSH and the API server are reached; without it the address that this runner is seen with",
    )

    @field_validator("zones")
    @classmethod
    def _each_once(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(zones)) < len(zones):
            raise ValueError("a zone stands there twice")
        return zones

    def overlaps(self, cidr: str) -> bool:
        """Say whether a network of the cluster overlaps with that of the machines."""
        return ipaddress.ip_network(cidr).overlaps(ipaddress.ip_network(self.subnet_cidr))
