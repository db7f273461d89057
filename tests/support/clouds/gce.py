"""Compute v1 in memory: resources with states, operations that take time, quotas, stock-outs, conflicts, late lists."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.clouds.discovery import ROOT, Refused
from tests.support.clouds.machines import Login, Machines, OnlyAddresses

PROJECT = "example-project"
ZONES = {"europe-west1": "bcd", "europe-west4": "abc", "us-central1": "abcf"}
TYPES = {"e2-standard-2": 2, "e2-standard-4": 4, "n2-standard-4": 4}
IMAGE = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"
_KIND = {"networks": "Network", "subnetworks": "Subnetwork", "firewalls": "Firewall", "instances": "Instance"}
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")

Key = tuple[str, str, str]  # collection, place, name; the place of what is global is ""


class Said(Exception):
    """An answer that is an error, in the shape of the service."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message, self.headers = status, reason, message, dict(headers or {})


@dataclass
class Call:
    """One request as it came. ``params``: those of path and query."""

    id: str
    params: dict[str, str]
    body: Any
    at: float = field(default_factory=time.monotonic)
    status: int = 0


@dataclass
class Operation:
    """Work that ends later: ``end`` is called then."""

    shown: dict[str, Any]
    until: float
    errors: list[dict[str, str]]
    end: Callable[[], None]
    is_done: bool = False


Fault = Callable[[Call], "Said | dict[str, Any] | None"]


class Compute:
    """One project. ``faults``: asked for each call; a Said is answered, a dict bends the operation (``errors``, ``takes_s``).

    ``machines``: what an instance is behind its address.
    """

    def __init__(
        self,
        *,
        operation_s: float = 0.05,
        lists_lag_s: float = 0.0,
        wait_s: float = 0.2,
        machines: Machines | None = None,
    ) -> None:
        self.machines = machines or OnlyAddresses()
        self.operation_s, self.lists_lag_s, self.wait_s, self.page = operation_s, lists_lag_s, wait_s, 2
        self.quotas = {"CPUS": 100.0, "INSTANCES": 100.0, "IN_USE_ADDRESSES": 100.0}
        self.denied: set[str] = set()
        self.lacking: set[tuple[str, str]] = set()  # machine types and zones that do not have them
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.refused: list[str] = []
        self.resources: dict[Key, dict[str, Any]] = {}
        self.born: dict[Key, float] = {}
        self.gone: dict[Key, tuple[float, dict[str, Any]]] = {}
        self.operations: dict[str, Operation] = {}
        self.requests: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    def names(self, collection: str = "") -> list[str]:
        """Return what is there: ``collection/name``, sorted."""
        with self._lock:
            self._settle()
            return sorted(f"{c}/{name}" for c, _, name in self.resources if c.startswith(collection))

    def preempt(self, name: str) -> None:
        """Take an instance away as the service does with spot machines: it is stopped, and stays."""
        with self._lock:
            key = next(key for key in self.resources if key[0] == "instances" and key[2] == name)
            self.resources[key]["status"] = "TERMINATED"
            self.machines.end(name)

    def count(self, call: str) -> int:
        """Return how often a call such as ``instances.insert`` came."""
        return sum(each.id == f"compute.{call}" for each in self.calls)

    def answer(self, call: Call) -> dict[str, Any]:
        """Return what the service answers. Raises: Said; Refused for what this fake does not know."""
        collection, verb = call.id.split(".")[-2:]
        if verb == "wait":
            return self._wait(call)
        with self._lock:
            self._settle()
            self.calls.append(call)
            project = call.params.get("project") or call.params["resource"]
            if project not in (PROJECT, "ubuntu-os-cloud"):
                where = f"projects/{project}"
                raise Said(404, "notFound", f"The resource '{where}' was not found")
            bent: dict[str, Any] = {}
            for fault in self.faults:
                what = fault(call)
                if isinstance(what, Said):
                    raise what
                bent |= what or {}
            known = getattr(self, f"_{verb.lower()}", None)
            if known is None:
                raise Refused(f"the fake does not know {call.id}")
            answer: dict[str, Any] = known(collection, call, bent)
            return answer

    # what a call does

    def _insert(self, collection: str, call: Call, bent: dict[str, Any]) -> dict[str, Any]:
        if collection not in _KIND:
            raise Refused(f"the fake does not know {call.id}")
        asked = call.params.get("requestId", "")
        if asked and asked in self.requests:
            return self.operations[self.requests[asked]].shown
        body, place = dict(call.body), self._place(call)
        name = body.get("name", "")
        if not _NAME.fullmatch(name):
            raise Said(400, "invalid", f"Invalid value for field 'resource.name': '{name}'.")
        key = (collection, place, name)
        if key in self.resources:
            raise Said(409, "alreadyExists", f"The resource '{self._link(key)}' already exists")
        self._check_references(collection, place, body)
        errors = bent.get("errors") or (self._over_quota(place, body) if collection == "instances" else [])
        self._put(key, body, "PROVISIONING" if collection == "instances" else "")
        if errors:
            return self._operate("insert", key, call, {**bent, "errors": errors}, lambda: self._drop(key))
        return self._operate("insert", key, call, bent, lambda: self._ready(key))

    def _delete(self, collection: str, call: Call, bent: dict[str, Any]) -> dict[str, Any]:
        name = next(v for k, v in call.params.items() if k == collection[:-1])
        key = (collection, self._place(call), name)
        if key not in self.resources:
            raise Said(404, "notFound", f"The resource '{self._link(key)}' was not found")
        users = [self._link(k) for k, v in self.resources.items() if k != key and _refers(v, self._link(key))]
        if users:
            what = f"The {collection[:-1]} resource '{self._link(key)}' is already being used by '{users[0]}'"
            raise Said(400, "resourceInUseByAnotherResource", what)
        if bent.get("errors"):
            return self._operate("delete", key, call, bent, lambda: None)
        if collection == "instances":
            self.resources[key]["status"] = "STOPPING"
        return self._operate("delete", key, call, bent, lambda: self._drop(key))

    def _get(self, collection: str, call: Call, bent: dict[str, Any]) -> dict[str, Any]:
        del bent
        if collection == "regions":
            if call.params["region"] not in ZONES:
                raise Said(
                    404, "notFound", f"The resource 'projects/{PROJECT}/regions/{call.params['region']}' was not found"
                )
            used = self._used()
            quotas = [{"metric": m, "limit": limit, "usage": used[m]} for m, limit in self.quotas.items()]
            return {"name": call.params["region"], "status": "UP", "quotas": quotas}
        if collection == "machineTypes":
            kind = call.params["machineType"]
            if kind not in TYPES or (kind, call.params["zone"]) in self.lacking:
                raise Said(404, "notFound", f"The resource 'machineTypes/{kind}' was not found")
            return {"name": kind, "guestCpus": TYPES[kind]}
        if collection == "images":
            raise Said(404, "notFound", f"The resource 'images/{call.params['image']}' was not found")
        name = call.params[collection[:-1]]
        key = (collection, self._place(call), name)
        if key not in self.resources:
            raise Said(404, "notFound", f"The resource '{self._link(key)}' was not found")
        return self._shown(key)

    def _getserialportoutput(self, collection: str, call: Call, bent: dict[str, Any]) -> dict[str, Any]:
        del collection, bent
        key = ("instances", self._place(call), call.params["instance"])
        if key not in self.resources:
            raise Said(404, "notFound", f"The resource '{self._link(key)}' was not found")
        text = self.machines.console(key[2])
        return {"contents": text, "start": "0", "next": str(len(text))}

    def _testiampermissions(self, collection: str, call: Call, bent: dict[str, Any]) -> dict[str, Any]:
        del collection, bent
        granted = [each for each in call.body["permissions"] if each not in self.denied]
        return {"permissions": granted} if granted else {}

    def _getfromfamily(self, collection: str, call: Call, bent: dict[str, Any]) -> dict[str, Any]:
        del bent
        if f"projects/{call.params['project']}/global/{collection}/family/{call.params['family']}" != IMAGE:
            raise Said(404, "notFound", f"The resource 'family/{call.params['family']}' was not found")
        return {"name": "ubuntu-2404-noble-amd64-v20261101", "family": call.params["family"], "status": "READY"}

    def _list(self, collection: str, call: Call, bent: dict[str, Any]) -> dict[str, Any]:
        del bent
        if collection == "regions":
            items: list[dict[str, Any]] = [{"name": name} for name in ZONES]
        elif collection == "zones":
            items = [
                {"name": f"{r}-{z}", "status": "UP", "region": f"projects/{PROJECT}/regions/{r}"}
                for r, zones in ZONES.items()
                for z in zones
            ]
        else:
            items = [shown for _, shown in self._seen(collection, call.params.get("filter", ""))]
        page, following = self._page(items, call)
        return {"items": page, **following}

    def _aggregatedlist(self, collection: str, call: Call, bent: dict[str, Any]) -> dict[str, Any]:
        del bent
        page, following = self._page(self._seen(collection, call.params.get("filter", "")), call)
        places: dict[str, Any] = {"regions/europe-west4": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
        for (_, place, _), shown in page:
            places[place] = {collection: [*places.get(place, {}).get(collection, []), shown]}
        return {"items": places, **following}

    def _wait(self, call: Call) -> dict[str, Any]:
        until = time.monotonic() + self.wait_s
        with self._lock:
            self.calls.append(call)
            operation = self.operations.get(call.params["operation"])
        if operation is None:
            raise Said(404, "notFound", f"The resource 'operations/{call.params['operation']}' was not found")
        while time.monotonic() < min(until, operation.until):
            time.sleep(0.01)
        with self._lock:
            self._settle()
            return operation.shown

    # state

    def _operate(
        self, verb: str, key: Key, call: Call, bent: Mapping[str, Any], end: Callable[[], None]
    ) -> dict[str, Any]:
        number = next(self._numbers)
        scope = {k: f"{self._home()}/{k}s/{v}" for k, v in call.params.items() if k in ("zone", "region")}
        shown: dict[str, Any] = {
            "kind": "compute#operation",
            "id": str(10**18 + number),
            "name": f"operation-{number}",
            "operationType": verb,
            "targetLink": f"{self._home()}/{self._link(key)}",
            "status": "RUNNING",
            "progress": 0,
            **scope,
        }
        until = time.monotonic() + bent.get("takes_s", self.operation_s)
        self.operations[shown["name"]] = Operation(shown, until, bent.get("errors", []), end)
        if asked := call.params.get("requestId"):
            self.requests[asked] = shown["name"]
        return shown

    def _settle(self) -> None:
        for operation in self.operations.values():
            if not operation.is_done and time.monotonic() >= operation.until:
                operation.is_done = True
                operation.shown |= {"status": "DONE", "progress": 100}
                if operation.errors:
                    operation.shown |= {"error": {"errors": operation.errors}, "httpErrorStatusCode": 503}
                operation.end()

    def _put(self, key: Key, body: dict[str, Any], status: str) -> None:
        self.resources[key] = {
            **body,
            "id": str(10**17 + next(self._numbers)),
            "selfLink": f"{self._home()}/{self._link(key)}",
        }
        self.born[key] = time.monotonic()
        if key[1] != "global":
            self.resources[key][key[1].split("/")[0][:-1]] = f"{self._home()}/{key[1]}"
        if status:
            self.resources[key]["status"] = status

    def _ready(self, key: Key) -> None:
        if key not in self.resources:
            return
        self.resources[key]["ready"] = True
        if key[0] != "instances":
            return
        wire = self.machines.boot(key[2], _login(self.resources[key]))
        link = dict(self.resources[key]["networkInterfaces"][0], networkIP=wire.inner)
        if link.get("accessConfigs"):
            link["accessConfigs"] = [dict(link["accessConfigs"][0], natIP=wire.outer)]
        self.resources[key] |= {"status": "RUNNING", "networkInterfaces": [link]}
        boot = self.resources[key]["disks"][0]["initializeParams"]
        self._put(("disks", key[1], key[2]), {"name": key[2], "labels": boot.get("labels", {})}, "READY")

    def _drop(self, key: Key) -> None:
        shown = self.resources.pop(key, None)
        if shown is not None:
            self.gone[key] = (time.monotonic(), shown)
            if key[0] == "instances":
                self.machines.end(key[2])
                if shown["disks"][0].get("autoDelete"):
                    self._drop(("disks", *key[1:]))

    def _seen(self, collection: str, wanted: str) -> list[tuple[Key, dict[str, Any]]]:
        """Return what a list shows now: what is new comes late, and what is gone leaves late."""
        horizon = time.monotonic() - self.lists_lag_s
        there = [(k, self._shown(k)) for k in self.resources if k[0] == collection and self.born[k] <= horizon]
        late = [(k, _plain(v)) for k, (at, v) in self.gone.items() if k[0] == collection and at > horizon]
        return [(key, shown) for key, shown in sorted(there + late, key=lambda each: each[0]) if _passes(shown, wanted)]

    def _page(self, items: list[Any], call: Call) -> tuple[list[Any], dict[str, str]]:
        start, size = int(call.params.get("pageToken") or 0), min(self.page, int(call.params.get("maxResults", 500)))
        following = {"nextPageToken": str(start + size)} if len(items) > start + size else {}
        return items[start : start + size], following

    def _check_references(self, collection: str, place: str, body: Mapping[str, Any]) -> None:
        links = [body.get("network", "")]
        if collection == "instances":
            region = place.split("/")[1].rpartition("-")[0]
            if region not in ZONES:
                raise Said(404, "notFound", f"The resource 'projects/{PROJECT}/{place}' was not found")
            links = [body["networkInterfaces"][0].get(k, "") for k in ("network", "subnetwork")]
            if body["machineType"].rpartition("/")[2] not in TYPES:
                raise Said(400, "invalid", f"Invalid value for field 'resource.machineType': '{body['machineType']}'.")
        for link in filter(None, links):
            found = next((v for k, v in self.resources.items() if link.endswith(self._link(k))), None)
            if found is None:
                raise Said(404, "notFound", f"The resource '{link}' was not found")
            if not found.get("ready"):
                raise Said(400, "resourceNotReady", f"The resource '{link}' is not ready")

    def _over_quota(self, place: str, body: Mapping[str, Any]) -> list[dict[str, str]]:
        used = self._used()
        wanted = {"CPUS": TYPES[body["machineType"].rpartition("/")[2]], "INSTANCES": 1, "IN_USE_ADDRESSES": 1}
        for metric, more in wanted.items():
            if used[metric] + more > self.quotas[metric]:
                message = f"Quota '{metric}' exceeded.  Limit: {self.quotas[metric]} in region {place.rpartition('/')[2][:-2]}."
                return [{"code": "QUOTA_EXCEEDED", "message": message}]
        return []

    def _used(self) -> dict[str, float]:
        there = [v for k, v in self.resources.items() if k[0] == "instances"]
        cpus = sum(TYPES[v["machineType"].rpartition("/")[2]] for v in there)
        return {"CPUS": float(cpus), "INSTANCES": float(len(there)), "IN_USE_ADDRESSES": float(len(there))}

    def _shown(self, key: Key) -> dict[str, Any]:
        return _plain(self.resources[key])

    def _place(self, call: Call) -> str:
        return next((f"{k}s/{call.params[k]}" for k in ("zone", "region") if k in call.params), "global")

    def _link(self, key: Key) -> str:
        return f"{key[1]}/{key[0]}/{key[2]}"

    def _home(self) -> str:
        return f"https://www.googleapis.com{ROOT}projects/{PROJECT}"


def _plain(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in resource.items() if k != "ready"}


def _login(instance: Mapping[str, Any]) -> Login:
    """Return whom the guest agent of an image lets in: it reads the instance's metadata."""
    items = {item["key"]: item["value"] for item in instance.get("metadata", {}).get("items", ())}
    if items.get("enable-oslogin", "").upper() == "TRUE":
        raise Refused("the fake does not know OS Login")
    user, _, public_key = items.get("ssh-keys", "").partition(":")
    return Login(user, public_key)


def _refers(resource: Mapping[str, Any], link: str) -> bool:
    links = [resource.get("network", "")]
    for interface in resource.get("networkInterfaces", ()):
        links += [interface.get("network", ""), interface.get("subnetwork", "")]
    return any(each.endswith(link) for each in links if each)


def _passes(shown: Mapping[str, Any], wanted: str) -> bool:
    if not wanted:
        return True
    if found := re.fullmatch(r"labels\.([a-z0-9_-]+)=([a-z0-9_-]+)", wanted):
        return bool(shown.get("labels", {}).get(found[1]) == found[2])
    if found := re.fullmatch(r"labels\.([a-z0-9_-]+):\*", wanted):
        return found[1] in shown.get("labels", {})
    if found := re.fullmatch(r"name eq (\S+)", wanted):
        return re.fullmatch(found[1], shown["name"]) is not None
    raise Refused(f"the fake does not know the filter {wanted}")
