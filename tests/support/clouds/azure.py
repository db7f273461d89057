"""Azure's Resource Manager in memory: groups, what is in them, operations that take time, quotas, conflicts, late lists."""

from __future__ import annotations

import copy
import itertools
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.clouds.azure_subscription import IMAGE, LOCATIONS, SIZES, SUBSCRIPTION, Subscription
from tests.support.clouds.discovery import Refused
from tests.support.clouds.machines import Login, Machines, OnlyAddresses

GROUPS = "resourceGroups"
MACHINES, LINKS = "virtualMachines", "networkInterfaces"
BALANCERS = "loadBalancers"
NETWORKS, RULES, ADDRESSES, DISKS = "virtualNetworks", "networkSecurityGroups", "publicIPAddresses", "disks"
NAMESPACES = dict.fromkeys((NETWORKS, RULES, ADDRESSES, LINKS, BALANCERS), "Microsoft.Network") | dict.fromkeys(
    (MACHINES, DISKS), "Microsoft.Compute"
)

POOLS = "loadBalancerBackendAddressPools"

Key = tuple[str, str, str]  # group, type, name; the type of a group itself is GROUPS and its name is empty


class Said(Exception):
    """An answer that is an error, in the shape of the service."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


@dataclass
class Call:
    """One request as it came. ``id``: verb and type, such as ``put.virtualMachines``."""

    id: str
    group: str
    name: str
    query: dict[str, str]
    body: Any
    at: float = field(default_factory=time.monotonic)


@dataclass
class Answer:
    """What is sent back. ``operation``: the long one that has begun."""

    status: int
    body: Any = None
    operation: str = ""


@dataclass
class Operation:
    """Work that ends later: ``end`` is called then."""

    until: float
    end: Callable[[], None]
    error: dict[str, str] | None = None
    is_done: bool = False


Fault = Callable[[Call], "Said | dict[str, Any] | None"]


class Arm:
    """One subscription. ``faults``: asked for each call; a Said is answered, a dict bends the operation (``error``, ``takes_s``)."""

    def __init__(
        self, *, operation_s: float = 0.05, lists_lag_s: float = 0.0, machines: Machines | None = None
    ) -> None:
        self.machines = machines or OnlyAddresses()
        self.subscription = Subscription()
        self.operation_s, self.lists_lag_s, self.page = operation_s, lists_lag_s, 2
        self.cores = 100
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.refused: list[str] = []
        self.resources: dict[Key, dict[str, Any]] = {}
        self.stopped: set[str] = set()
        self.signed: dict[str, str] = {}
        self._born: dict[Key, float] = {}
        self._gone: dict[Key, tuple[float, dict[str, Any]]] = {}
        self._operations: dict[str, Operation] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    def names(self, kind: str = "") -> list[str]:
        """Return what is there, ``type/name``, sorted; a group is ``resourceGroups/name``."""
        with self._lock:
            self._settle()
            return sorted(f"{t}/{name or group}" for group, t, name in self.resources if kind in ("", t))

    def count(self, call: str) -> int:
        """Return how often a call such as ``put.virtualMachines`` came."""
        return sum(each.id == call for each in self.calls)

    def add(self, group: str, kind: str, name: str, **fields: Any) -> None:
        """Put something there that no call of ours made."""
        self._put((group, kind, name), {"location": LOCATIONS[1], **fields}, "Succeeded")
        self._born[group, kind, name] = 0.0

    def answer(self, call: Call) -> Answer:
        """Return what the service answers. Raises: Said; Refused for what this fake does not know."""
        with self._lock:
            self._settle()
            self.calls.append(call)
            bent: dict[str, Any] = {}
            for fault in self.faults:
                what = fault(call)
                if isinstance(what, Said):
                    raise what
                bent |= what or {}
            verb, _, kind = call.id.partition(".")
            known: Callable[[str, Call, dict[str, Any]], Answer] | None = getattr(self, f"_{verb}", None)
            if known is None:
                raise Refused(f"the fake does not know {call.id}")
            answer = known(kind, call, bent)
            return replace(answer, body=copy.deepcopy(answer.body))  # as it is now

    # what a call does

    def _put(self, key: Key, body: Mapping[str, Any], state: str) -> None:
        properties = {**body.get("properties", {}), "provisioningState": state}
        group, kind, name = key
        shown = {**body, "id": link(key), "name": name or group, "type": _type(kind), "properties": properties}
        if NAMESPACES.get(kind) == "Microsoft.Network":
            shown["etag"] = f'W/"{next(self._numbers)}"'
        self.resources[key] = shown
        self._born.setdefault(key, time.monotonic())

    def _create(self, kind: str, call: Call, bent: dict[str, Any]) -> Answer:
        key = (call.group, kind, call.name)
        self._check_place(key, call.body)
        there = self.resources.get(key)
        if kind == GROUPS:
            if there and there["properties"]["provisioningState"] == "Deleting":
                raise _being_deleted(call.group)
            self._put(key, call.body, "Succeeded")
            return Answer(200 if there else 201, self.resources[key])
        self._check_references(call.group, kind, call.body)
        if kind == MACHINES:
            self._check_machine(key, call.body, there)
        body = _kept(there, call.body) if kind == LINKS and there else call.body
        self._put(key, body, "Updating" if there else "Creating")
        error = bent.get("error")
        end = (lambda: self._failed(key)) if error else (lambda: self._ready(key))
        return Answer(200 if there else 201, self.resources[key], self._operate(end, bent))

    def _delete(self, kind: str, call: Call, bent: dict[str, Any]) -> Answer:
        key = (call.group, kind, call.name)
        if key not in self.resources:
            if kind == GROUPS:
                raise _missing(key)
            return Answer(204)
        if kind not in (GROUPS, MACHINES):
            raise Refused(f"the fake does not know {call.id}")
        if not bent.get("error"):
            self.resources[key]["properties"]["provisioningState"] = "Deleting"
        end = (lambda: None) if bent.get("error") else (lambda: self._drop(key))
        return Answer(202, None, self._operate(end, bent))

    def _get(self, kind: str, call: Call, bent: dict[str, Any]) -> Answer:
        del bent
        key = (call.group, kind, call.name)
        if key not in self.resources:
            raise _missing(key if (call.group, GROUPS, "") in self.resources else (call.group, GROUPS, ""))
        return Answer(200, self.resources[key])

    def _view(self, kind: str, call: Call, bent: dict[str, Any]) -> Answer:
        self._get(kind, call, bent)
        state = "deallocated" if call.name in self.stopped else "running"
        return Answer(200, {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{state}"}]})

    def _console(self, kind: str, call: Call, bent: dict[str, Any]) -> Answer:
        """Say where the console of a machine can be read for a while by whoever knows the address."""
        shown = self._get(kind, call, bent).body
        if not shown["properties"].get("diagnosticsProfile", {}).get("bootDiagnostics", {}).get("enabled"):
            raise Said(409, "BootDiagnosticsNotEnabled", f"Boot diagnostics are not enabled on {call.name}.")
        self.signed[call.name] = f"signature-{next(self._numbers)}"
        return Answer(200, {"serialConsoleLogBlobUri": f"/console/{call.name}?sig={self.signed[call.name]}"})

    def read_console(self, name: str, signature: str) -> str | None:
        """Return what a machine wrote, None for an address that was not given out."""
        return self.machines.console(name) if self.signed.get(name) == signature else None

    def _list(self, kind: str, call: Call, bent: dict[str, Any]) -> Answer:
        """Return a page of all groups, or of what is in one: what is new comes late, and what is gone leaves late."""
        del bent
        if kind != GROUPS and (call.group, GROUPS, "") not in self.resources:
            raise _missing((call.group, GROUPS, ""))
        horizon = time.monotonic() - self.lists_lag_s
        found = [(k, v) for k, v in self.resources.items() if self._born[k] <= horizon]
        found += [(k, v) for k, (at, v) in self._gone.items() if at > horizon]
        of_kind = [(k, v) for k, v in sorted(found, key=lambda e: e[0]) if (k[1] == GROUPS) == (kind == GROUPS)]
        items = [v for k, v in of_kind if (kind == GROUPS or k[0] == call.group) and _passes(v, call.query)]
        if kind != GROUPS:
            items = [
                {k: v for k, v in each.items() if k in ("id", "name", "type", "location", "tags")} for each in items
            ]
        start = int(call.query.get("$skiptoken") or 0)
        following = {"nextLink": str(start + self.page)} if len(items) > start + self.page else {}
        return Answer(200, {"value": items[start : start + self.page], **following})

    def _poll(self, kind: str, call: Call, bent: dict[str, Any]) -> Answer:
        """Say how an operation goes: by its status (``operations``), or by whether there is an answer already."""
        del bent
        operation = self._operations[call.name]
        if kind == "operations":
            state = "InProgress" if not operation.is_done else "Failed" if operation.error else "Succeeded"
            error = {"error": operation.error} if operation.is_done and operation.error else {}
            return Answer(200, {"name": call.name, "status": state, **error})
        if not operation.is_done:
            return Answer(202, None, call.name)
        if operation.error:
            raise Said(409, operation.error["code"], operation.error["message"])
        return Answer(200)

    def _register(self, kind: str, call: Call, bent: dict[str, Any]) -> Answer:
        """Refuse what the SDKs ask for by themselves when they are told that a resource provider is not registered."""
        del bent
        raise Said(403, "AuthorizationFailed", f"{call.id}: no permission to register {kind}")

    # state

    def _operate(self, end: Callable[[], None], bent: Mapping[str, Any]) -> str:
        name = f"operation-{next(self._numbers)}"
        until = time.monotonic() + bent.get("takes_s", self.operation_s)
        self._operations[name] = Operation(until, end, bent.get("error"))
        return name

    def _settle(self) -> None:
        for operation in self._operations.values():
            if not operation.is_done and time.monotonic() >= operation.until:
                operation.is_done = True
                operation.end()

    def _failed(self, key: Key) -> None:
        if key in self.resources:
            self.resources[key]["properties"]["provisioningState"] = "Failed"

    def _ready(self, key: Key) -> None:
        if key not in self.resources:
            return
        group, kind, name = key
        properties = self.resources[key]["properties"]
        was, properties["provisioningState"] = properties["provisioningState"], "Succeeded"
        if kind == ADDRESSES and was == "Creating":
            properties["ipAddress"] = f"198.51.100.{next(self._numbers) % 250 + 1}"
        if kind != MACHINES or was != "Creating":
            return
        wire = self.machines.boot(name, _login(properties))
        self._put((group, DISKS, f"{name}_disk"), {"location": self.resources[key]["location"]}, "Succeeded")
        nic = self._linked(properties["networkProfile"]["networkInterfaces"][0])
        nic["properties"]["virtualMachine"] = {"id": link(key)}
        ip = nic["properties"]["ipConfigurations"][0]["properties"]
        ip["privateIPAddress"] = wire.inner
        self._linked(ip["publicIPAddress"])["properties"]["ipAddress"] = wire.outer

    def _drop(self, key: Key) -> None:
        group, kind, name = key
        if kind == GROUPS:
            for other in [k for k in self.resources if k[0] == group and k != key]:
                self._drop(other)
        shown = self.resources.pop(key, None)
        if shown is None:
            return
        self._gone[key] = (time.monotonic(), shown)
        if kind == MACHINES:
            self.machines.end(name)
            self._drop((group, DISKS, f"{name}_disk"))
            for neighbour in self.resources.values():
                if neighbour["properties"].get("virtualMachine") == {"id": link(key)}:
                    del neighbour["properties"]["virtualMachine"]

    # what the service checks

    def _check_place(self, key: Key, body: Mapping[str, Any]) -> None:
        group, kind, name = key
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,78}", name or group):
            raise Said(400, "InvalidResourceName", f"Resource name {name or group} is invalid.")
        if body["location"] not in LOCATIONS:
            of = "Group" if kind == GROUPS else "Type"
            known = ",".join(LOCATIONS)
            what = f"The provided location '{body['location']}' is not available for resource {of.lower()}."
            raise Said(400, f"LocationNotAvailableForResource{of}", f"{what} List of available regions is '{known}'.")
        if kind != GROUPS:
            there = self.resources.get((group, GROUPS, ""))
            if there is None:
                raise _missing((group, GROUPS, ""))
            if there["properties"]["provisioningState"] == "Deleting":
                raise _being_deleted(group)

    def _check_references(self, group: str, kind: str, body: Mapping[str, Any]) -> None:
        properties = body["properties"]
        links = []
        if kind == LINKS:
            ip = properties["ipConfigurations"][0]["properties"]
            subnet = {"id": ip["subnet"]["id"].partition("/subnets/")[0]}
            pools = [{"id": each["id"].partition("/backendAddressPools/")[0]} for each in ip.get(POOLS, ())]
            links = [subnet, ip["publicIPAddress"], properties["networkSecurityGroup"], *pools]
        if kind == BALANCERS:
            links = [each["properties"]["publicIPAddress"] for each in properties["frontendIPConfigurations"]]
        if kind == MACHINES:
            links = [{"id": each["id"]} for each in properties["networkProfile"]["networkInterfaces"]]
        for each in links:
            other = self._linked(each)
            if other["properties"]["provisioningState"] not in ("Succeeded", "Updating"):
                what = f"Cannot proceed with operation because resource {each['id']} is not in Succeeded state."
                raise Said(409, "ReferencedResourceNotProvisioned", what)

    def _check_machine(self, key: Key, body: Mapping[str, Any], there: Mapping[str, Any] | None) -> None:
        properties = body["properties"]
        size = properties["hardwareProfile"]["vmSize"]
        if size not in SIZES:
            raise Said(400, "InvalidParameter", f"The value {size} provided for the VM size is not valid.")
        image = properties["storageProfile"]["imageReference"]
        if f"{image['publisher']}:{image['offer']}:{image['sku']}" != IMAGE:
            raise Said(404, "PlatformImageNotFound", f"The platform image '{image['sku']}' is not available.")
        if there is not None and there.get("zones") != body.get("zones"):
            raise Said(409, "PropertyChangeNotAllowed", "Changing property 'zones' is not allowed.")
        nic = self._linked(properties["networkProfile"]["networkInterfaces"][0])
        if nic["properties"].get("virtualMachine", {"id": link(key)}) != {"id": link(key)}:
            raise Said(409, "NicInUse", f"Network Interface {nic['id']} is used by another machine.")
        machines = [v["properties"] for k, v in self.resources.items() if k[1] == MACHINES and k != key]
        used = sum(SIZES[each["hardwareProfile"]["vmSize"]] for each in machines)
        if used + SIZES[size] > self.cores:
            what = "Operation could not be completed as it results in exceeding approved Total Regional Cores quota."
            raise Said(409, "OperationNotAllowed", f"{what} Current Limit: {self.cores}, Current Usage: {used}")

    def _linked(self, to: Mapping[str, Any]) -> dict[str, Any]:
        for key, shown in self.resources.items():
            if link(key) == to["id"]:
                return shown
        raise Said(400, "InvalidResourceReference", f"Resource {to['id']} referenced by resource was not found.")


def _kept(there: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network interface that is changed: what only the service sets stays."""
    kept = copy.deepcopy(dict(body))
    if machine := there["properties"].get("virtualMachine"):
        kept["properties"]["virtualMachine"] = machine
    before = there["properties"]["ipConfigurations"][0]["properties"]
    if address := before.get("privateIPAddress"):
        kept["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] = address
    return kept


def link(key: Key) -> str:
    """Return the id of a resource."""
    group, kind, name = key
    home = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"
    return home if kind == GROUPS else f"{home}/providers/{_type(kind)}/{name}"


def _type(kind: str) -> str:
    return f"{NAMESPACES.get(kind, 'Microsoft.Resources')}/{kind}"


def _missing(key: Key) -> Said:
    group, kind, name = key
    if kind == GROUPS:
        return Said(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
    return Said(404, "ResourceNotFound", f"The Resource '{_type(kind)}/{name}' under '{group}' was not found.")


def _being_deleted(group: str) -> Said:
    what = f"The resource group '{group}' is in deprovisioning state and cannot perform this operation."
    return Said(409, "ResourceGroupBeingDeleted", what)


def _login(properties: Mapping[str, Any]) -> Login:
    """Return whom the agent of an image lets in."""
    system = properties["osProfile"]
    if not system["linuxConfiguration"]["disablePasswordAuthentication"]:
        raise Refused("the fake does not know passwords")
    return Login(system["adminUsername"], system["linuxConfiguration"]["ssh"]["publicKeys"][0]["keyData"])


def _passes(shown: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    wanted = query.get("$filter", "")
    if not wanted:
        return True
    found = re.fullmatch(r"tagName eq '([^']+)'(?: and tagValue eq '([^']+)')?", wanted)
    if not found:
        raise Refused(f"the fake does not know the filter {wanted}")
    tags = shown.get("tags", {})
    return found[1] in tags and found[2] in (None, tags[found[1]])
