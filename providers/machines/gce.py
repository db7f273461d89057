"""Machines in Google's Compute Engine: a network, what is let in, and instances, all marked, found and removed by marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from providers.contracts import ClusterSpec, Context, Machine, Resource, Role
from providers.lookout import Cost, Looked, Lookout, Marked
from providers.machines.beside import beside, gather
from providers.machines.booted import KEY_FILE, USER, furnish, nodes_of
from providers.machines.gce_api import ENDPOINT, GceApi
from providers.machines.gce_difference import check_after, note_before
from providers.machines.gce_errors import Taken
from providers.machines.gce_looks import fates, save_consoles
from providers.machines.gce_preflight import Outlook
from providers.machines.gce_removal import check_ours, find, remove
from providers.machines.gce_resources import (
    FIREWALL,
    INSTANCE,
    NETWORK,
    SUBNETWORK,
    Kind,
    firewall_bodies,
    instance_body,
    network_body,
    subnetwork_body,
)
from providers.machines.gce_settings import GceSettings
from providers.machines.marks import Mark, mark_of
from providers.machines.outside import TAKEN_AWAY, known_machines, note_machines
from providers.machines.places import Place, places, settle
from providers.machines.runner import RUNNER, runner_cidr
from providers.process import pause
from providers.reach import Reach
from providers.ssh.access import Access, Endpoint, KeyFile
from providers.ssh.keys import make_key, public_key
from providers.wording import meant, nearest
from upload.errors import ProviderError, UsageError

_LOOK_S = 1.0


class GceMachines:
    """Makes the machines of one cluster in a project. ``ready``: waits until they let us in and are furnished."""

    Settings: ClassVar[type[BaseModel]] = GceSettings
    variables: ClassVar[tuple[str, ...]] = (ENDPOINT, RUNNER)
    makes_machines: ClassVar[bool] = True

    def __init__(self, settings: GceSettings, ready: Callable[[Reach, Context], None] = furnish) -> None:
        self._settings = settings
        self._ready = ready

    def refusals(self, spec: ClusterSpec) -> Mapping[str, str]:
        """Return key of ``cluster:`` -> what is expected there instead."""
        refused = {"network": "vxlan, since GCE drops packets that its own routes do not know"}
        wrong = {} if spec.network != "routes" else refused
        for key, cidr in (("pod_cidr", spec.pod_cidr), ("service_cidr", spec.service_cidr)):
            if self._settings.overlaps(cidr):
                wrong[key] = f"outside of provider.subnet_cidr {self._settings.subnet_cidr}"
        return wrong

    def ensure(self, spec: ClusterSpec, ctx: Context) -> tuple[Machine, ...]:
        """Return the machines, made where they are not there yet.

        Raises: UsageError, StockoutError with the answer of every place, ProviderError in the service's words.
        """
        api, mark = self._api(ctx), self._mark(ctx)
        order = places(self._zones(api), self._settings.machine_types)
        if not self._settings.shared_project:
            note_before(api, ctx.folder)
        self._lay_network(api, mark, spec, ctx)
        names = {mark.name(node): (node, role) for node, role in nodes_of(spec)}
        zones = self._make_instances(api, mark, tuple(names), order, ctx)
        looks = {name: partial(self._running, api, mark, zones[name], name) for name in names}
        shown = gather(api, "waiting for machines", looks)
        machines = tuple(_machine(*names[name], shown[name]) for name in names)
        self._ready(Reach(self.access(ctx), machines), ctx)
        return machines

    def access(self, ctx: Context) -> Access:
        """Return how one logs in: by the key that was made for the run and goes with its folder."""
        return Access(user=USER, identity=KeyFile(ctx.folder / KEY_FILE))

    def delete(self, ctx: Context) -> None:
        """Remove all that carries the run's mark. Needs nothing of the run's folder.

        Raises: ProviderError, also with the names of what came during the run and carries no mark.
        """
        api, mark = self._api(ctx), self._mark(ctx)
        remove(api, lambda: find(api, mark))
        check_after(api, ctx.folder)

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        """List what carries the run's mark and is still there."""
        return tuple(each.resource for each in find(self._api(ctx), self._mark(ctx)))

    def consoles(self, ctx: Context) -> Mapping[str, Path]:
        """Return machine -> the file with what it wrote to its serial console."""
        return save_consoles(self._api(ctx), self._mark(ctx), ctx.folder)

    def losses(self, ctx: Context) -> Mapping[str, str]:
        """Return machine -> what befell it, such as that it was taken away."""
        return fates(self._api(ctx), self._mark(ctx), ctx.folder, spot=self._settings.spot)

    def estimate_cost(self, spec: ClusterSpec) -> Cost:
        """Return what a cluster takes in an hour."""
        return self._settings.cost_of(spec)

    def preflight(self, spec: ClusterSpec, look: Lookout) -> tuple[Looked, ...]:
        """Return what a run would meet in the project. Reads only."""
        api = self._api(look)
        return Outlook(api, self._settings, spec).look(lambda: self._zones(api))

    def place(self) -> str:
        """Return where marks are looked for."""
        return f"project {self._settings.project}"

    def marked(self, look: Lookout) -> tuple[Marked, ...]:
        """List what carries the mark of any run in the project."""
        return tuple(each.marked for each in find(self._api(look), None))

    def remove_marked(self, wanted: Callable[[Marked], bool], look: Lookout) -> None:
        """Remove what carries a mark and is wanted. Raises: ProviderError."""
        api = self._api(look)
        remove(api, lambda: tuple(each for each in find(api, None) if wanted(each.marked)))

    def _api(self, ctx: Context | Lookout) -> GceApi:
        return GceApi(self._settings.project, ctx.deadline, endpoint=ctx.variables.get(ENDPOINT, ""))

    def _mark(self, ctx: Context) -> Mark:
        return mark_of(ctx.run, ctx.owner, ctx.expires_s)

    def _zones(self, api: GceApi) -> tuple[str, ...]:
        """Return the zones to try. Raises: UsageError naming the region or zone that was probably meant."""
        told = api.listed("listing zones", "zones", {"project": self._settings.project})
        known = {zone["name"]: zone for zone in told}
        ours = [name for name in known if name.rpartition("-")[0] == self._settings.region]
        if not ours:
            regions = {name.rpartition("-")[0] for name in known}
            raise _unknown("region", self._settings.region, regions)
        if strange := [zone for zone in self._settings.zones if zone not in known]:
            raise _unknown("zone", strange[0], set(ours))
        return self._settings.zones or tuple(sorted(name for name in ours if known[name].get("status") == "UP"))

    def _lay_network(self, api: GceApi, mark: Mark, spec: ClusterSpec, ctx: Context) -> None:
        runner = runner_cidr(self._settings.runner_cidr, ctx.variables)
        ctx.steps.note(f"SSH and the API server are open to {runner}")
        if self._settings.network is None:
            _make(api, NETWORK, "", mark, network_body(mark))
        jobs: dict[str, Callable[[], None]] = {}
        for body in firewall_bodies(self._settings, mark, runner_cidr=runner, pod_cidr=spec.pod_cidr):
            jobs[body["name"]] = partial(_make, api, FIREWALL, "", mark, body)
        if self._settings.network is None:
            body = subnetwork_body(self._settings, mark)
            jobs[body["name"]] = partial(_make, api, SUBNETWORK, self._settings.region, mark, body)
        gather(api, "laying the network", jobs)

    def _make_instances(
        self, api: GceApi, mark: Mark, names: tuple[str, ...], order: tuple[Place, ...], ctx: Context
    ) -> dict[str, str]:
        """Return name -> zone. The zone is written down before it is asked: lists are late, and we may be killed."""
        key = public_key(make_key(ctx.folder / KEY_FILE, mark.slug))
        zones = known_machines(ctx.folder)
        zones |= {each.name: each.place for each in find(api, mark) if each.kind is INSTANCE}
        looks = {name: partial(api.get, INSTANCE, zones[name], name) for name in names if name in zones}
        there = gather(api, "looking for machines", looks)
        missing = tuple(name for name in names if there.get(name) is None)

        def attempt(asked: Mapping[str, Place]) -> Mapping[str, Exception | None]:
            zones.update({name: place.zone for name, place in asked.items()})
            note_machines(ctx.folder, zones)
            bodies = {
                name: instance_body(self._settings, mark, name, place, public_key=key) for name, place in asked.items()
            }
            jobs = {name: partial(_make, api, INSTANCE, asked[name].zone, mark, bodies[name]) for name in asked}
            return beside(api, jobs)

        if missing:
            settle(missing, order, attempt, ctx.steps.note)
        return zones

    def _running(self, api: GceApi, mark: Mark, zone: str, name: str) -> dict[str, Any]:
        while True:
            shown = api.get(INSTANCE, zone, name)
            status = (shown or {}).get("status", "GONE")
            if shown is not None:
                check_ours(INSTANCE, mark, shown)
            if shown is not None and status == "RUNNING":
                return shown
            if status not in ("PROVISIONING", "STAGING", "REPAIRING"):
                what = f"instance {name} in {zone} is {status}"
                raise ProviderError(what, hint=TAKEN_AWAY if self._settings.spot else "")
            pause(api.deadline, _LOOK_S)


def _make(api: GceApi, kind: Kind, place: str, mark: Mark, body: Mapping[str, Any]) -> None:
    """Create something unless it is there. Raises: ProviderError if what is there is not ours."""
    there = api.get(kind, place, body["name"])
    if there is None:
        try:
            api.insert(kind, place, body)
        except Taken:  # what another call of ours has just begun
            there = api.get(kind, place, body["name"])
    if there is not None:
        check_ours(kind, mark, there)


def _machine(node: str, role: Role, shown: Mapping[str, Any]) -> Machine:
    link = shown["networkInterfaces"][0]
    return Machine(node, role, Endpoint(link["accessConfigs"][0]["natIP"]), (link["networkIP"],))


def _unknown(what: str, name: str, known: set[str]) -> UsageError:
    near = meant(nearest(name, sorted(known)))
    return UsageError(f"GCE has no {what} '{name}'{near}", hint=f"gcloud compute {what}s list")
