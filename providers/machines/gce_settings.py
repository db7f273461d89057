"""The section ``provider:`` of a config with ``name: gce``."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from providers.machines.prices import PricedSettings
from providers.machines.runner import Cidr

Word = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]
Image = Annotated[
    str,
    StringConstraints(
        pattern=r"^projects/[a-z][a-z0-9.:-]{4,80}/global/images/(family/)?[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
    ),
]
UBUNTU = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"


class GceSettings(PricedSettings):
    """What a config says about machines in Google's Compute Engine."""

    project: Annotated[str, StringConstraints(pattern=r"^([a-z0-9.-]{1,60}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$")] = Field(
        description="id of the project that the machines are made in"
    )
    region: Word = Field(description="region, such as europe-west1")
    zones: tuple[Word, ...] = Field(
        default=(),
        strict=False,
        max_length=20,
        description="zones of the region in the order they are tried; all of it",
    )
    machine_types: tuple[Word, ...] = Field(
        default=("e2-standard-4",),
        strict=False,
        min_length=1,
        max_length=20,
        description="machine types in the order they are tried, each in every zone before the next",
    )
    image: Image = Field(default=UBUNTU, description="image or family of images")
    disk_gb: int = Field(default=50, ge=10, le=2000, description="size of each machine's disk, in GB")
    spot: bool = Field(default=False, description="cheaper machines that may be taken away at any time")
    shared_project: bool = Field(
        default=False,
        description="others make things in the project meanwhile: what came during a run without a mark is no leak of it",
    )
    network: Word | None = Field(default=None, description="an existing network; without it one is made for the run")
    subnetwork: Word | None = Field(default=None, description="a subnetwork of the existing network in the region")
    subnet_cidr: Cidr = Field(default="10.10.0.0/20", description="addresses of the machines in a network that is made")
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

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if strange := [zone for zone in self.zones if zone.rpartition("-")[0] != self.region]:
            raise ValueError(f"zone {strange[0]} is not in region {self.region}")
        if (self.network is None) != (self.subnetwork is None):
            raise ValueError("network and subnetwork stand there both or not at all")
        return self

    def overlaps(self, cidr: str) -> bool:
        """Say whether a network of the cluster overlaps with that of the machines, as far as it is known here."""
        return self.network is None and ipaddress.ip_network(cidr).overlaps(ipaddress.ip_network(self.subnet_cidr))
