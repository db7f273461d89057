"""What a config needs of a project, looked at before anything is made: each thing that is amiss with what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from providers.contracts import ClusterSpec
from providers.lookout import Looked
from providers.machines.beside import beside, looked
from providers.machines.gce_api import GceApi
from providers.machines.gce_errors import CHAIN
from providers.machines.gce_settings import GceSettings
from upload.errors import HarnessError, ProviderError, UsageError

# what making and removing the machines of a run asks for; the role roles/compute.admin has them all
PERMISSIONS = (
    "compute.disks.create",
    "compute.firewalls.create",
    "compute.firewalls.delete",
    "compute.instances.create",
    "compute.instances.delete",
    "compute.instances.list",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.networks.create",
    "compute.networks.delete",
    "compute.subnetworks.create",
    "compute.subnetworks.delete",
    "compute.subnetworks.use",
    "compute.subnetworks.useExternalIp",
)
# Source: https://cloud.google.com/compute/resource-usage; the first ones of a family share the quota CPUS
_COMMON_FAMILIES = frozenset({"e2", "f1", "g1", "n1"})


class Outlook:
    """One look at a project, for a config and the cluster it asks for. It reads and changes nothing."""

    def __init__(self, api: GceApi, settings: GceSettings, spec: ClusterSpec) -> None:
        self._api = api
        self._settings = settings
        self._count = spec.control_planes + spec.nodes

    def look(self, zones: Callable[[], tuple[str, ...]]) -> tuple[Looked, ...]:
        """Return every check. ``zones``: gives those of the config, and says what is wrong with its region.

        The first ones are about who asks and where: when they fail, nothing else can be told.
        """
        try:
            there = zones()
        except HarnessError as error:
            return (Looked(_subject(error), str(error), error.hint or f"the chain is {CHAIN}", is_ok=False),)
        first = (
            Looked("credentials", f"found by the SDK's chain; project {self._api.project} answers"),
            Looked("region", f"{self._settings.region}: {', '.join(there)}"),
        )
        parts: dict[str, Callable[[], tuple[Looked, ...]]] = {
            "permissions": self._permissions,
            "image": self._image,
            "machine types": partial(self._types_and_cpus, there),
            "quotas": self._quotas,
        }
        if self._settings.network:
            parts["network"] = self._network
        return (*first, *looked(self._api, parts))

    def _permissions(self) -> tuple[Looked, ...]:
        project = self._api.project
        try:
            lacking = sorted(set(PERMISSIONS) - self._api.permissions(PERMISSIONS))
        except ProviderError as error:  # runs need no Resource Manager: only this look does
            enable = f"gcloud services enable cloudresourcemanager.googleapis.com --project {project}"
            return (Looked("permissions", f"not known: {error}", enable),)
        if not lacking:
            return (Looked("permissions", f"all {len(PERMISSIONS)} that a run asks for"),)
        grant = f"gcloud projects add-iam-policy-binding {project} --member=user:YOU --role=roles/compute.admin"
        return (Looked("permissions", f"lacking on {project}: {', '.join(lacking)}", grant, is_ok=False),)

    def _image(self) -> tuple[Looked, ...]:
        _, project, _, _, *rest = self._settings.image.split("/")
        where, method = ({"family": rest[1]}, "get_from_family") if len(rest) > 1 else ({"image": rest[0]}, "get")
        found = self._api.ask("reading the image", "images", method, {"project": project, **where}, missing=True)
        if found is None:
            mend = f"gcloud compute images list --project {project}   and put one under provider.image"
            return (Looked("image", f"there is no {self._settings.image}", mend, is_ok=False),)
        return (Looked("image", found["name"]),)

    def _types_and_cpus(self, zones: tuple[str, ...]) -> tuple[Looked, ...]:
        """Look where each machine type is, and whether the quota has room for the processors of any of them."""
        jobs = {
            f"{kind} {zone}": partial(self._type, kind, zone) for kind in self._settings.machine_types for zone in zones
        }
        found = beside(self._api, jobs)
        for result in found.values():
            if isinstance(result, Exception):
                raise result
        there = {
            kind: {zone: shown for zone in zones if isinstance(shown := found[f"{kind} {zone}"], dict)}
            for kind in self._settings.machine_types
        }
        cpus = {kind: int(next(iter(shown.values())).get("guestCpus", 0)) for kind, shown in there.items() if shown}
        return (*(_type_looked(kind, tuple(shown), zones) for kind, shown in there.items()), *self._cpus(cpus))

    def _type(self, kind: str, zone: str) -> dict[str, Any] | None:
        where = {"project": self._api.project, "zone": zone, "machine_type": kind}
        return self._api.ask(f"reading machine type {kind}", "machine_types", "get", where, missing=True)

    def _cpus(self, cpus: dict[str, int]) -> Iterator[Looked]:
        """Yield the processors' quota, which one machine type with room for all is enough for."""
        room = self._room()
        told = []
        for kind, each in cpus.items():
            metric = self._metric(kind)
            if metric not in room or room[metric] >= each * self._count:
                yield Looked("quota of processors", f"{each * self._count} of {metric} for {kind}")
                return
            told.append(f"{kind} needs {each * self._count} of {metric}, free are {room[metric]:g}")
        if told:
            yield Looked("quota of processors", "; ".join(told), self._ask_for_more(), is_ok=False)

    def _quotas(self) -> tuple[Looked, ...]:
        """Look at the quotas that do not depend on the machine type."""
        room = self._room()
        wanted = {
            "INSTANCES": self._count,
            "IN_USE_ADDRESSES": self._count,
            "SSD_TOTAL_GB": self._count * self._settings.disk_gb,
        }
        short = [f"{m}: needed {n}, free {room[m]:g}" for m, n in wanted.items() if room.get(m, n) < n]
        if short:
            return (Looked("quotas", "; ".join(short), self._ask_for_more(), is_ok=False),)
        return (Looked("quotas", ", ".join(f"{number} of {metric}" for metric, number in wanted.items())),)

    def _room(self) -> dict[str, float]:
        where = {"project": self._api.project, "region": self._settings.region}
        told = self._api.ask("reading quotas", "regions", "get", where) or {}
        return {each["metric"]: each.get("limit", 0.0) - each.get("usage", 0.0) for each in told.get("quotas", ())}

    def _metric(self, kind: str) -> str:
        if self._settings.spot:
            return "PREEMPTIBLE_CPUS"
        family = kind.partition("-")[0]
        return "CPUS" if family in _COMMON_FAMILIES else f"{family.upper()}_CPUS"

    def _ask_for_more(self) -> str:
        region, project = self._settings.region, self._api.project
        return (
            f"gcloud compute regions describe {region} --project {project}   and ask for more in the console's quotas"
        )

    def _network(self) -> tuple[Looked, ...]:
        project, network, subnetwork = self._api.project, self._settings.network, self._settings.subnetwork
        where = {"project": project, "region": self._settings.region, "subnetwork": subnetwork}
        found = self._api.ask("reading the subnetwork", "subnetworks", "get", where, missing=True)
        if found is None or found.get("network", "").rpartition("/")[2] != network:
            what = f"{network} has no subnetwork {subnetwork} in {self._settings.region}"
            return (Looked("network", what, f"gcloud compute networks subnets list --network {network}", is_ok=False),)
        return (Looked("network", f"{network}, {subnetwork}: {found.get('ipCidrRange', '')}"),)


def _type_looked(kind: str, there: tuple[str, ...], zones: tuple[str, ...]) -> Looked:
    if there:
        return Looked("machine type", f"{kind} is in {', '.join(there)}")
    what = f"{kind} is in none of {', '.join(zones)}"
    return Looked("machine type", what, f"gcloud compute machine-types list --zones {','.join(zones)}", is_ok=False)


def _subject(error: HarnessError) -> str:
    return "place" if isinstance(error, UsageError) and "GCE has no" in str(error) else "access"
