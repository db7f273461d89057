"""What a config needs of a subscription, looked at before anything is made: each thing that is amiss with what mends it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from providers.contracts import ClusterSpec
from providers.lookout import Looked
from providers.machines.azure_api import AzureApi
from providers.machines.azure_errors import CHAIN, LOGIN
from providers.machines.azure_settings import AzureSettings
from providers.machines.beside import looked
from providers.wording import meant, nearest
from upload.errors import HarnessError, ProviderError

SPACES = ("Microsoft.Compute", "Microsoft.Network")
# what making and removing the machines of a run asks for; the role Contributor has them all
ACTIONS = (
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/virtualMachines/delete",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Network/networkInterfaces/join/action",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/networkSecurityGroups/write",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/publicIPAddresses/write",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Network/virtualNetworks/write",
    "Microsoft.Resources/subscriptions/resourceGroups/delete",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Resources/subscriptions/resourceGroups/write",
)


class Outlook:
    """One look at a subscription, for a config and the cluster it asks for. It reads and changes nothing."""

    def __init__(self, api: AzureApi, settings: AzureSettings, spec: ClusterSpec) -> None:
        self._api = api
        self._settings = settings
        self._count = spec.control_planes + spec.nodes

    def look(self) -> tuple[Looked, ...]:
        """Return every check. The first one is about who asks and where: when it fails, nothing else can be told."""
        try:
            spaces = {name: self._space(name) for name in SPACES}
        except HarnessError as error:
            return (Looked("access", str(error), error.hint or f"{LOGIN}   (the chain is {CHAIN})", is_ok=False),)
        first = Looked("credentials", f"found by the SDK's chain; subscription {self._settings.subscription} answers")
        location = self._location(spaces["Microsoft.Compute"])
        registered = tuple(_registered(name, shown) for name, shown in spaces.items())
        if not location.is_ok:
            return (first, location, *registered)
        parts: dict[str, Callable[[], tuple[Looked, ...]]] = {
            "permissions": self._permissions,
            "image": self._image,
            "machine types": self._types_and_cores,
            "quotas": self._quotas,
        }
        return (first, location, *registered, *looked(self._api, parts))

    def _space(self, name: str) -> dict[str, Any]:
        return self._api.shown(f"reading resource provider {name}", "resource", "providers", name) or {}

    def _location(self, compute: Mapping[str, Any]) -> Looked:
        """Look whether machines can be made there. The service names locations as people do: West Europe."""
        types = {each["resourceType"]: each for each in compute.get("resourceTypes", ())}
        known = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in types["virtualMachines"]["locations"]]
        wanted = self._settings.location
        if wanted in known:
            return Looked("location", wanted)
        what = f"Azure has no location '{wanted}'{meant(nearest(wanted, known))}"
        return Looked("location", what, "az account list-locations --output table", is_ok=False)

    def _permissions(self) -> tuple[Looked, ...]:
        try:
            granted = self._api.permissions()
        except ProviderError as error:
            return (Looked("permissions", f"not known: {error}", "az role assignment list"),)
        lacking = [action for action in ACTIONS if not any(_grants(each, action) for each in granted)]
        if not lacking:
            return (Looked("permissions", f"all {len(ACTIONS)} that a run asks for"),)
        scope = f"/subscriptions/{self._settings.subscription}"
        grant = f"az role assignment create --assignee YOU --role Contributor --scope {scope}"
        return (Looked("permissions", f"lacking: {', '.join(lacking)}", grant, is_ok=False),)

    def _image(self) -> tuple[Looked, ...]:
        publisher, offer, sku, version = self._settings.image.split(":")
        asked = (self._settings.location, publisher, offer, sku)
        shown = self._api.listed("reading versions of the image", "compute", "virtual_machine_images", *asked)
        versions = [str(each["name"]) for each in shown]
        if versions and version in ("latest", *versions):
            return (Looked("image", f"{publisher}:{offer}:{sku}:{versions[-1] if version == 'latest' else version}"),)
        where = f"--location {self._settings.location} --publisher {publisher} --all"
        what = f"there is no {self._settings.image} in {self._settings.location}"
        mend = f"az vm image list {where} --output table   and put one under provider.image"
        return (Looked("image", what, mend, is_ok=False),)

    def _types_and_cores(self) -> tuple[Looked, ...]:
        """Look where each size is, and whether the quotas have room for the processors of any of them."""
        wanted = f"location eq '{self._settings.location}'"
        sizes = self._api.listed("reading sizes", "compute", "resource_skus", filter=wanted)
        there = {each["name"]: each for each in sizes if each["resourceType"] == "virtualMachines"}
        found, usable = [], []
        for name in self._settings.machine_types:
            why = self._unusable(there.get(name))
            if why:
                mend = f"az vm list-skus --location {self._settings.location} --resource-type virtualMachines --all"
                found.append(Looked("machine type", f"{name} {why}", mend, is_ok=False))
            else:
                usable.append(there[name])
                found.append(Looked("machine type", f"{name} is in {self._settings.location}"))
        return (*found, *self._cores(usable))

    def _unusable(self, size: Mapping[str, Any] | None) -> str:
        """Return why a size cannot be had, or nothing."""
        location = self._settings.location
        if size is None:
            return f"is not in {location}"
        limits = size.get("restrictions", ())
        if any(each.get("type") == "Location" for each in limits):
            return f"is in {location}, but not for this subscription"
        zones = {zone for each in size.get("locationInfo", ()) for zone in each.get("zones", ())}
        zones -= {zone for each in limits for zone in each.get("restrictionInfo", {}).get("zones", ())}
        wanted = self._settings.zones
        return f"is not in zone {' or '.join(wanted)} of {location}" if wanted and not zones & set(wanted) else ""

    def _cores(self, sizes: Iterable[Mapping[str, Any]]) -> Iterator[Looked]:
        """Yield the processors' quota, which one size with room for all is enough for."""
        room = self._room("compute", "usage")
        told = []
        for size in sizes:
            cores = self._count * int(next(c["value"] for c in size["capabilities"] if c["name"] == "vCPUs"))
            quotas = ("lowPriorityCores",) if self._settings.spot else ("cores", size["family"])
            short = [f"{cores} of {name}, free are {room[name]}" for name in quotas if room.get(name, cores) < cores]
            if not short:
                yield Looked("quota of processors", f"{cores} of {' and '.join(quotas)} for {size['name']}")
                return
            told.append(f"{size['name']} needs {'; '.join(short)}")
        if told:
            yield Looked("quota of processors", "; ".join(told), self._ask_for_more("vm"), is_ok=False)

    def _quotas(self) -> tuple[Looked, ...]:
        """Look at the quotas that do not depend on the size."""
        room = {**self._room("compute", "usage"), **self._room("network", "usages")}
        wanted = {"virtualMachines": self._count, "PublicIPAddresses": self._count, "NetworkInterfaces": self._count}
        wanted |= {"VirtualNetworks": 1, "NetworkSecurityGroups": 1}
        short = [
            f"{name}: needed {count}, free {room[name]}"
            for name, count in wanted.items()
            if room.get(name, count) < count
        ]
        if short:
            return (Looked("quotas", "; ".join(short), self._ask_for_more("network"), is_ok=False),)
        return (Looked("quotas", ", ".join(f"{count} of {name}" for name, count in wanted.items())),)

    def _room(self, service: str, operations: str) -> dict[str, int]:
        told = self._api.listed(f"reading usages of {service}", service, operations, self._settings.location)
        return {each["name"]["value"]: int(each["limit"]) - int(each["currentValue"]) for each in told}

    def _ask_for_more(self, of: str) -> str:
        return f"az {of} list-usages --location {self._settings.location} --output table   and ask for more in the portal's quotas"


def _registered(name: str, shown: Mapping[str, Any]) -> Looked:
    state = str(shown.get("registrationState", "unknown"))
    is_ok = state == "Registered"
    return Looked(
        "resource provider", f"{name}: {state}", "" if is_ok else f"az provider register --namespace {name}", is_ok
    )


def _grants(permission: Mapping[str, Any], action: str) -> bool:
    """Say whether one assignment lets an action be done: patterns with ``*``, and what is taken out of them again."""

    def among(key: str) -> bool:
        return any(fnmatchcase(action.lower(), str(each).lower()) for each in permission.get(key) or ())

    return among("actions") and not among("notActions")
