"""What a subscription of the fake tells of itself: who may do what, what is registered, sizes, images, usages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.clouds.azure_models import check_model
from tests.support.clouds.discovery import Refused

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
LOCATIONS = ("northeurope", "westeurope", "westus2")
SHOWN_LOCATIONS = ("North Europe", "West Europe", "West US 2")
SIZES = {"Standard_D2s_v5": 2, "Standard_D4s_v5": 4, "Standard_D4as_v5": 4}
IMAGE = "Canonical:ubuntu-24_04-lts:server"
_HOME = f"/subscriptions/{SUBSCRIPTION}/providers"
_PLACE = r"/locations/(?P<location>\w+)"
_VERSIONS = (
    r"/publishers/(?P<publisher>[^/]+)/artifacttypes/vmimage/offers/(?P<offer>[^/]+)/skus/(?P<sku>[^/]+)/versions"
)
_CORES = ("cores", "standardDSv5Family", "lowPriorityCores", "virtualMachines")
_THINGS = ("PublicIPAddresses", "NetworkInterfaces", "VirtualNetworks", "NetworkSecurityGroups")
# address -> name, service, model of the answer or of each part of a list, version
_FACTS = {
    r"/(?P<space>Microsoft\.\w+)": ("space", "resource", "Provider", "2025-04-01"),
    r"/Microsoft\.Authorization/permissions": ("permissions", "", "", "2022-04-01"),
    r"/Microsoft\.Compute/skus": ("sizes", "compute", "ResourceSku", "2021-07-01"),
    rf"/Microsoft\.Compute{_PLACE}/usages": ("cores", "compute", "Usage", "2026-04-01"),
    rf"/Microsoft\.Network{_PLACE}/usages": ("things", "network", "Usage", "2026-03-01"),
    rf"/Microsoft\.Compute{_PLACE}{_VERSIONS}": ("images", "compute", "VirtualMachineImageResource", "2026-04-01"),
}


@dataclass
class Subscription:
    """``free``: name of a quota -> what is left of it. ``restricted``: size -> zones that this subscription has none in,
    empty: none anywhere. ``unregistered``: resource providers."""

    actions: list[str] = field(default_factory=lambda: ["*"])
    not_actions: list[str] = field(default_factory=lambda: ["Microsoft.Authorization/*/Delete"])
    unregistered: set[str] = field(default_factory=set)
    restricted: dict[str, list[str]] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*_CORES, *_THINGS), 100))
    asked: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, query: Mapping[str, str]) -> Any:
        """Return the answer to a question about the subscription, None for another one. Raises: Refused."""
        if method != "GET" or not path.startswith(_HOME):
            return None
        known = ((re.fullmatch(shape, path.removeprefix(_HOME)), fact) for shape, fact in _FACTS.items())
        found, fact = next(((found, fact) for found, fact in known if found), (None, None))
        if found is None or fact is None:
            return None
        name, service, model, version = fact
        if query.get("api-version") != version:
            raise Refused(f"{path}: the fake does not know the version {query.get('api-version')}")
        self.asked.append(name)
        answer = getattr(self, f"_{name}")(query, **found.groupdict())
        listed = answer if isinstance(answer, list) else answer.get("value", [answer])
        for each in listed if service else ():
            check_model(service, model, each, is_request=False)
        return answer

    def _space(self, query: Mapping[str, str], space: str) -> dict[str, Any]:
        del query
        state = "NotRegistered" if space in self.unregistered else "Registered"
        types = [{"resourceType": "virtualMachines", "locations": list(SHOWN_LOCATIONS)}]
        return {"namespace": space, "registrationState": state, "resourceTypes": types}

    def _permissions(self, query: Mapping[str, str]) -> dict[str, Any]:
        del query
        return {"value": [{"actions": self.actions, "notActions": self.not_actions}]}

    def _sizes(self, query: Mapping[str, str]) -> dict[str, Any]:
        found = re.fullmatch(r"location eq '(\w+)'", query.get("$filter", ""))
        if not found:
            raise Refused(f"the fake does not know the filter {query.get('$filter')}")
        return {"value": [self._size(name, cores, found[1]) for name, cores in SIZES.items()]}

    def _size(self, name: str, cores: int, location: str) -> dict[str, Any]:
        limits: list[dict[str, Any]] = []
        if name in self.restricted:
            zones = self.restricted[name]
            info = {"locations": [location], **({"zones": zones} if zones else {})}
            kind = "Zone" if zones else "Location"
            limits = [{"type": kind, "restrictionInfo": info, "reasonCode": "NotAvailableForSubscription"}]
        return {
            "resourceType": "virtualMachines",
            "name": name,
            "family": "standardDSv5Family",
            "locations": [location],
            "locationInfo": [{"location": location, "zones": ["1", "2", "3"]}],
            "capabilities": [{"name": "vCPUs", "value": str(cores)}],
            "restrictions": limits,
        }

    def _cores(self, query: Mapping[str, str], location: str) -> dict[str, Any]:
        del query, location
        return self._usages(_CORES)

    def _things(self, query: Mapping[str, str], location: str) -> dict[str, Any]:
        del query, location
        return self._usages(_THINGS)

    def _usages(self, names: tuple[str, ...]) -> dict[str, Any]:
        shown = ({"currentValue": 5, "limit": self.free[name] + 5, "name": {"value": name}} for name in names)
        return {"value": [{"unit": "Count", **each} for each in shown]}

    def _images(self, query: Mapping[str, str], location: str, **names: str) -> list[dict[str, Any]]:
        del query
        if ":".join(names.values()) != IMAGE:
            return []
        return [{"name": version, "location": location} for version in ("24.04.202610010", "24.04.202611010")]
