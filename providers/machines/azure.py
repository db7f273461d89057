"""Machines in Azure: one resource group for a run, and in it a network, what is let in, and machines, all marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from providers.contracts import ClusterSpec, Context, Machine, Resource
from providers.lookout import Cost, Looked, Lookout, Marked
from providers.machines.azure_api import ENDPOINT, AzureApi
from providers.machines.azure_balancer import address_of, balance
from providers.machines.azure_looks import fates, save_consoles
from providers.machines.azure_preflight import Outlook
from providers.machines.azure_removal import check_ours, find, left_in, remove
from providers.machines.azure_resources import (
    ADDRESS,
    GROUP,
    LINK,
    MACHINE,
    NETWORK,
    RULES,
    Kind,
    address_body,
    group_body,
    link_body,
    machine_body,
    network_body,
    rules_body,
)
from providers.machines.azure_settings import AzureSettings
from providers.machines.beside import beside, gather
from providers.machines.booted import KEY_FILE, USER, furnish, nodes_of
from providers.machines.marks import Mark, mark_of
from providers.machines.outside import TAKEN_AWAY, known_machines, note_machines
from providers.machines.places import Place, places, settle
from providers.machines.runner import RUNNER, runner_cidr
from providers.process import pause
from providers.reach import Reach
from providers.ssh.access import Access, Endpoint, KeyFile
from providers.ssh.keys import make_key, public_key
from upload.errors import ProviderError, StockoutError

_LOOK_S = 1.0


class AzureMachines:
    """Makes the machines of one cluster in a subscription. ``ready``: waits until they let us in and are furnished."""

    Settings: ClassVar[type[BaseModel]] = AzureSettings
    variables: ClassVar[tuple[str, ...]] = (ENDPOINT, RUNNER)
    makes_machines: ClassVar[bool] = True

    def __init__(self, settings: AzureSettings, ready: Callable[[Reach, Context], None] = furnish) -> None:
        self._settings = settings
        self._ready = ready

    def refusals(self, spec: ClusterSpec) -> Mapping[str, str]:
        """Return key of ``cluster:`` -> what is expected there instead."""
        refused = {"network": "vxlan, since Azure drops packets to addresses that its network does not know"}
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
        group = mark.name(GROUP)
        self._make_group(api, mark, group)
        nodes = [node for node, _ in nodes_of(spec)]
        self._lay_network(api, mark, spec, ctx)
        links = {node: partial(link_body, self._settings, mark, node) for node in nodes}
        gather(api, "making network interfaces", {n: partial(_make, api, LINK, mark, n, links[n]) for n in nodes})
        self._make_machines(api, mark, nodes, ctx)
        looks = {mark.name(node): partial(self._running, api, group, mark.name(node)) for node in nodes}
        gather(api, "waiting for machines", looks)
        machines = self._shown(api, mark, spec)
        self._ready(Reach(self.access(ctx), machines), ctx)
        return machines

    def balance(self, names: Sequence[str], spec: ClusterSpec, ctx: Context) -> str:
        """Have at least these control planes behind one address, and return it. Raises: ProviderError."""
        api, mark = self._api(ctx), self._mark(ctx)
        runner = runner_cidr(self._settings.runner_cidr, ctx.variables)
        peers = [address_of(api, mark, node) for node, _ in nodes_of(spec)]
        rules = rules_body(self._settings, mark, runner_cidr=runner, pod_cidr=spec.pod_cidr, peers=peers)
        return balance(api, self._settings, mark, names, rules)

    def access(self, ctx: Context) -> Access:
        """Return how one logs in: by the key that was made for the run and goes with its folder."""
        return Access(user=USER, identity=KeyFile(ctx.folder / KEY_FILE))

    def delete(self, ctx: Context) -> None:
        """Remove all that carries the run's mark. Needs nothing of the run's folder. Raises: ProviderError."""
        api, mark = self._api(ctx), self._mark(ctx)
        remove(api, lambda: find(api, mark))

    def leftovers(self, ctx: Context) -> tuple[Resource, ...]:
        """List what carries the run's mark and is still there."""
        api = self._api(ctx)
        return tuple(each for found in find(api, self._mark(ctx)) for each in left_in(api, found))

    def consoles(self, ctx: Context) -> Mapping[str, Path]:
        """Return node -> the file with what its machine wrote to its serial console."""
        return save_consoles(self._api(ctx), self._mark(ctx), ctx.folder)

    def losses(self, ctx: Context) -> Mapping[str, str]:
        """Return node -> what befell its machine, such as that it was taken away."""
        return fates(self._api(ctx), self._mark(ctx), ctx.folder, spot=self._settings.spot)

    def estimate_cost(self, spec: ClusterSpec) -> Cost:
        """Return what a cluster takes in an hour."""
        return self._settings.cost_of(spec)

    def preflight(self, spec: ClusterSpec, look: Lookout) -> tuple[Looked, ...]:
        """Return what a run would meet in the subscription. Reads only."""
        return Outlook(self._api(look), self._settings, spec).look()

    def place(self) -> str:
        """Return where marks are looked for."""
        return f"subscription {self._settings.subscription}"

    def marked(self, look: Lookout) -> tuple[Marked, ...]:
        """List what carries the mark of any run in the subscription."""
        return tuple(each.marked for each in find(self._api(look), None))

    def remove_marked(self, wanted: Callable[[Marked], bool], look: Lookout) -> None:
        """Remove what carries a mark and is wanted. Raises: ProviderError."""
        api = self._api(look)
        remove(api, lambda: tuple(each for each in find(api, None) if wanted(each.marked)))

    def _api(self, ctx: Context | Lookout) -> AzureApi:
        endpoint = ctx.variables.get(ENDPOINT, "")
        return AzureApi(self._settings.subscription, self._settings.location, ctx.deadline, endpoint=endpoint)

    def _mark(self, ctx: Context) -> Mark:
        return mark_of(ctx.run, ctx.owner, ctx.expires_s)

    def _make_group(self, api: AzureApi, mark: Mark, group: str) -> None:
        def make() -> None:
            there = api.group(group)
            if there is not None:
                check_ours(mark, there)
            api.put_group(group, group_body(self._settings, mark))  # also waits for the end of one that is deleted

        gather(api, "making the resource group", {group: make})

    def _lay_network(self, api: AzureApi, mark: Mark, spec: ClusterSpec, ctx: Context) -> None:
        runner = runner_cidr(self._settings.runner_cidr, ctx.variables)
        ctx.steps.note(f"SSH and the API server are open to {runner}")
        rules = partial(rules_body, self._settings, mark, runner_cidr=runner, pod_cidr=spec.pod_cidr)
        jobs = {
            "net": partial(_make, api, NETWORK, mark, "net", partial(network_body, self._settings, mark)),
            "rules": partial(_make, api, RULES, mark, "rules", rules),
        }
        address = partial(address_body, self._settings, mark)
        jobs |= {node: partial(_make, api, ADDRESS, mark, node, address) for node, _ in nodes_of(spec)}
        gather(api, "laying the network", jobs)

    def _make_machines(self, api: AzureApi, mark: Mark, nodes: list[str], ctx: Context) -> None:
        key = public_key(make_key(ctx.folder / KEY_FILE, mark.slug))
        group = mark.name(GROUP)
        looks = {node: partial(_is_made, api, group, mark.name(node)) for node in nodes}
        there = gather(api, "looking for machines", looks)
        missing = [node for node in nodes if not there[node]]

        def attempt(asked: Mapping[str, Place]) -> Mapping[str, Exception | None]:
            bodies = {
                node: machine_body(self._settings, mark, node, place, public_key=key) for node, place in asked.items()
            }
            return beside(
                api, {node: partial(_try, api, group, mark.name(node), body) for node, body in bodies.items()}
            )

        note_machines(ctx.folder, known_machines(ctx.folder) | {mark.name(node): "" for node in missing})
        if missing:
            settle(
                missing, places(self._settings.zones or ("",), self._settings.machine_types), attempt, ctx.steps.note
            )

    def _running(self, api: AzureApi, group: str, name: str) -> None:
        while (state := api.power(group, name)) != "running":
            if state not in ("", "starting"):
                raise ProviderError(f"machine {name} is {state}", hint=TAKEN_AWAY if self._settings.spot else "")
            pause(api.deadline, _LOOK_S)

    def _shown(self, api: AzureApi, mark: Mark, spec: ClusterSpec) -> tuple[Machine, ...]:
        group = mark.name(GROUP)
        jobs = {
            (kind.one, node): partial(api.get, kind, group, mark.name(node))
            for kind in (ADDRESS, LINK)
            for node, _ in nodes_of(spec)
        }
        found = gather(api, "reading addresses", {" ".join(key): act for key, act in jobs.items()})
        machines = []
        for node, role in nodes_of(spec):
            outer = _at(found[f"{ADDRESS.one} {node}"], "properties", "ipAddress")
            inner = _at(
                found[f"{LINK.one} {node}"], "properties", "ipConfigurations", 0, "properties", "privateIPAddress"
            )
            machines.append(Machine(node, role, Endpoint(outer), (inner,)))
        return tuple(machines)


def _make(api: AzureApi, kind: Kind, mark: Mark, role: str, body: Callable[[], Mapping[str, Any]]) -> None:
    """Create something in the run's group unless it is there already."""
    group, name = mark.name(GROUP), mark.name(role)
    there = api.get(kind, group, name)
    if there is None or _state(there) != "Succeeded":
        api.create(kind, group, name, body())


def _is_made(api: AzureApi, group: str, name: str) -> bool:
    """Say whether a machine is there, once that is certain; one that failed is removed."""
    while (there := api.get(MACHINE, group, name)) is not None:
        state = _state(there)
        if state == "Succeeded":
            return True
        if state not in ("Creating", "Updating"):  # what a call began that was killed goes on
            api.delete_machine(group, name)
        else:
            pause(api.deadline, _LOOK_S)
    return False


def _try(api: AzureApi, group: str, name: str, body: Mapping[str, Any]) -> None:
    """Create a machine; one for which there is no room goes away again, since its zone can never be changed."""
    try:
        api.create(MACHINE, group, name, body)
    except StockoutError:
        api.delete_machine(group, name)
        raise


def _state(resource: Mapping[str, Any]) -> str:
    return str(resource.get("properties", {}).get("provisioningState", ""))


def _at(resource: Any, *path: str | int) -> str:
    """Return a text deep in what the service showed. Raises: ProviderError."""
    name = (resource or {}).get("name", "something")
    for step in path:
        try:
            resource = resource[step]
        except (KeyError, IndexError, TypeError):
            raise ProviderError(f"{name} in Azure has no {path[-1]}") from None
    return str(resource)
