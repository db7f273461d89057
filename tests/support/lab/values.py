"""The values of the lab, and the names that everything on the machine gets from them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

GIB = 1 << 30
NETWORKS = IPv4Network("10.66.0.0/16")  # a lab has one /24 of it; clear of the clusters' 10.96.0.0/12 and 10.244.0.0/16
FIRST_HOST = 11
LABS = range(8)
JOB_LAB = 8  # the lab of `make e2e JOB=…`: addresses in a config are always the same


@dataclass(frozen=True, slots=True)
class LabHost:
    """A machine to reach over SSH. ``key_file``: our private key; ``host_key``: ``ssh-ed25519 AAAA…``, its public one."""

    name: str
    address: str
    user: str
    key_file: Path
    host_key: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON values; ``from_json`` is the inverse."""
        return {
            "name": self.name,
            "address": self.address,
            "user": self.user,
            "key_file": str(self.key_file),
            "host_key": self.host_key,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> LabHost:
        """Return the host that ``to_json`` described. Raises KeyError, TypeError."""
        return cls(told["name"], told["address"], told["user"], Path(told["key_file"]), told["host_key"])


@dataclass(frozen=True, slots=True)
class HostSize:
    """The most that one host may take of the machine. The disk takes what is written; memory counts page cache."""

    memory_bytes: int = 3 * GIB
    disk_bytes: int = 10 * GIB


@dataclass(frozen=True, slots=True)
class LabNames:
    """What the lab number ``number`` is called: one name for its record, its bridge and its control groups."""

    number: int

    @property
    def lab(self) -> str:
        """Return the name of the lab and of its bridge, short enough for an interface."""
        return f"e2elab{self.number}"

    def machine(self, host: str) -> str:
        """Return the name of one host's control groups and machine, unlike any other on this machine."""
        return f"{self.lab}-{host}"

    def wire(self, host: str) -> str:
        """Return the interface at the machine's end of a host's wire, as systemd-nspawn names it."""
        return f"vb-{self.machine(host)}"

    @property
    def bridge_mac(self) -> str:
        """Return the bridge's hardware address. It is there from the bridge's first moment, and marks it as ours."""
        return f"02:e2:e1:ab:00:{self.number:02x}"

    @property
    def network(self) -> IPv4Network:
        """Return the lab's network."""
        return IPv4Network((int(NETWORKS.network_address) + self.number * 256, 24))

    @property
    def gateway(self) -> IPv4Address:
        """Return the machine's own address on the bridge."""
        return self.network[1]

    def address(self, index: int) -> IPv4Address:
        """Return the address of the host number ``index``, from 0."""
        return self.network[FIRST_HOST + index]
