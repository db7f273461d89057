"""Azure's Resource Manager by the official SDKs: JSON in and out, long operations that are waited for until a deadline.

The SDKs themselves keep to Retry-After, in answers and in polls. Importing them takes seconds: only what calls does it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from providers.contracts import Deadline
from providers.machines.azure_errors import Conflict, failures, is_answer, is_missing, translated
from providers.machines.azure_resources import MACHINE, Kind
from providers.machines.marks import RUN
from upload.errors import DeadlineExceeded, MissingExtra, ProviderError, UsageError

T = TypeVar("T")
ENDPOINT = "E2E_AZURE_ENDPOINT"
CONSOLE_BYTES = 1 << 20
SIGNED_MIN = 5
LONGEST_BYTES = 64 << 20
_SCOPE = "https://management.azure.com/.default"
_CALL_S = 60.0
_LOOK_S = 0.5
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 20.0
_CLIENTS = {
    "resource": ("azure.mgmt.resource.resources", "ResourceManagementClient"),
    "network": ("azure.mgmt.network", "NetworkManagementClient"),
    "compute": ("azure.mgmt.compute", "ComputeManagementClient"),
}


class AzureApi:
    """One subscription, until a deadline. Safe to use from several threads. ``endpoint``: another server, or empty."""

    def __init__(self, subscription: str, location: str, deadline: Deadline, *, endpoint: str = "") -> None:
        self.deadline = deadline
        self._subscription = subscription
        self._location = location
        self._endpoint = endpoint
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._credential: Any = None

    def stop(self) -> None:
        """Break off what waits."""
        self._stopped.set()

    def group(self, name: str) -> dict[str, Any] | None:
        """Return a resource group, or None where there is none."""
        return self._read(f"reading resource group {name}", lambda: self._groups.get(name, **self._bounds()))

    def groups(self, wanted: str) -> tuple[dict[str, Any], ...]:
        """Return all resource groups that a filter lets pass."""
        what = "listing resource groups"
        return self._send(what, lambda: _shown(self._groups.list(filter=wanted, **self._bounds())))

    def inside(self, group: str) -> tuple[dict[str, Any], ...]:
        """Return what is in a resource group; nothing if there is none."""

        def listed() -> tuple[dict[str, Any], ...]:
            return _shown(self._client("resource").resources.list_by_resource_group(group, **self._bounds()))

        return self._send(f"listing what is in resource group {group}", _if_there(listed)) or ()

    def put_group(self, name: str, body: Mapping[str, Any]) -> None:
        """Create a resource group, or leave it as it is. Raises as ``create``."""
        what = f"creating resource group {name}"
        self._until_free(what, lambda: self._groups.create_or_update(name, dict(body), **self._bounds()))

    def delete_group(self, name: str) -> None:
        """Delete a resource group with all that is in it; one that is not there is success. Raises: ProviderError."""
        forced = {"force_deletion_types": "Microsoft.Compute/virtualMachines"}  # without a shutdown: minutes less
        what = f"deleting resource group {name}"
        self._operate(what, lambda: self._groups.begin_delete(name, **forced, **self._waits()), missing=True)

    def get(self, kind: Kind, group: str, name: str) -> dict[str, Any] | None:
        """Return a resource, or None where there is none."""
        return self._read(f"reading {kind.one} {name}", lambda: self._of(kind).get(group, name, **self._bounds()))

    def create(self, kind: Kind, group: str, name: str, body: Mapping[str, Any]) -> None:
        """Create a resource, or leave it as it is, and wait until it is there.

        Raises: StockoutError, UsageError, ProviderError, DeadlineExceeded.
        """
        what, asked = f"creating {kind.one} {name}", dict(body)
        self._operate(what, lambda: self._of(kind).begin_create_or_update(group, name, asked, **self._waits()))

    def delete_machine(self, group: str, name: str) -> None:
        """Delete a machine with its disk and wait until it is gone; one that is not there is success."""
        what, forced = f"deleting machine {name}", {"force_deletion": True}
        self._operate(
            what, lambda: self._of(MACHINE).begin_delete(group, name, **forced, **self._waits()), missing=True
        )

    def power(self, group: str, name: str) -> str:
        """Return a machine's state of power, such as ``running``; empty while it is not known."""
        what = f"reading the state of machine {name}"
        shown = self._read(what, lambda: self._of(MACHINE).instance_view(group, name, **self._bounds()))
        if shown is None:
            return "gone"
        codes = [str(each.get("code", "")) for each in shown.get("statuses", [])]
        return next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "")

    def console(self, group: str, name: str) -> str:
        """Return the end of what a machine wrote to its serial console; empty where nothing is kept. Raises: ProviderError."""
        what = f"reading the console of machine {name}"
        how: dict[str, Any] = {"sas_uri_expiration_time_in_minutes": SIGNED_MIN, **self._bounds()}
        told = self._read(what, lambda: self._of(MACHINE).retrieve_boot_diagnostics_data(group, name, **how))
        uri = str((told or {}).get("serialConsoleLogBlobUri", ""))
        return self._send(what, lambda: _fetched(uri, what)) if uri else ""

    def shown(self, what: str, service: str, operations: str, *asked: str) -> dict[str, Any] | None:
        """Return what ``get`` shows of something that is not in a group of ours; None where there is none."""
        return self._read(what, lambda: getattr(self._client(service), operations).get(*asked, **self._bounds()))

    def listed(self, what: str, service: str, operations: str, *asked: str, **how: str) -> tuple[dict[str, Any], ...]:
        """Return a list that belongs to no group; nothing if there is none. Raises: ProviderError."""

        def found() -> tuple[dict[str, Any], ...]:
            return _shown(getattr(self._client(service), operations).list(*asked, **how, **self._bounds()))

        return self._send(what, _if_there(found)) or ()

    def permissions(self) -> tuple[dict[str, Any], ...]:
        """Return what whoever asks may do in the subscription: ``actions`` and ``notActions``. No SDK of ours has it."""
        from azure.core.rest import HttpRequest

        path = f"/subscriptions/{self._subscription}/providers/Microsoft.Authorization/permissions"

        def asked() -> tuple[dict[str, Any], ...]:
            request = HttpRequest("GET", path, params={"api-version": "2022-04-01"})
            answer = self._client("resource").send_request(request, **self._bounds())
            answer.raise_for_status()
            return tuple(answer.json().get("value", ()))

        return self._send("reading permissions", asked)

    def _operate(self, what: str, begin: Callable[[], Any], *, missing: bool = False) -> None:
        """Begin something that takes long and wait for its end; with ``missing`` what is not there is success."""

        def ended() -> None:
            poller = begin()
            while not poller.done():
                if self._stopped.is_set():
                    raise ProviderError(f"{what}: stopped")
                if self.deadline.remaining_s() <= 0:
                    raise self._too_late(what)
                poller.wait(min(_LOOK_S, self.deadline.remaining_s()))
            poller.result()

        self._until_free(what, _if_there(ended) if missing else ended)

    def _read(self, what: str, call: Callable[[], Any]) -> dict[str, Any] | None:
        shown = self._send(what, _if_there(call))
        return None if shown is None else dict(shown.as_dict())

    def _until_free(self, what: str, call: Callable[[], object]) -> None:
        """Do something, again while something else is in its way, until the deadline."""
        pause_s, begun_s = _PAUSE_S, self.deadline.remaining_s()
        in_the_way: Conflict | None = None
        while True:
            try:
                self._send(what, call)
            except Conflict as conflict:
                in_the_way = conflict
                left_s = min(self.deadline.remaining_s(), conflict.passes_s - (begun_s - self.deadline.remaining_s()))
                if pause_s >= left_s or self._stopped.wait(pause_s):
                    raise
            except DeadlineExceeded as late:
                raise in_the_way or late from late  # what was in the way says more
            else:
                return
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    def _send(self, what: str, call: Callable[[], T]) -> T:
        expected = failures()
        if self._stopped.is_set():
            raise ProviderError(f"{what}: stopped")
        if self.deadline.remaining_s() <= 0:
            raise self._too_late(what)
        try:
            return call()
        except expected as exc:
            if self.deadline.remaining_s() <= 0 and not is_answer(exc):
                raise self._too_late(what) from exc
            raise translated(what, self._location, exc) from exc

    def _too_late(self, what: str) -> DeadlineExceeded:
        return DeadlineExceeded(what, self.deadline.total_s, hint=f"az group list --tag {RUN}")

    def _bounds(self) -> dict[str, Any]:
        """Return the limits of one call; ``timeout`` is for all of its tries together."""
        return {**self._waits(), "timeout": self.deadline.remaining_s() + 1}

    def _waits(self) -> dict[str, Any]:
        """Return the limits of one try. Calls that begin something take no others: the SDK means its polls by them."""
        left_s = min(_CALL_S, self.deadline.remaining_s() + 1)
        return {"connection_timeout": left_s, "read_timeout": left_s}

    @property
    def _groups(self) -> Any:
        return self._client("resource").resource_groups

    def _of(self, kind: Kind) -> Any:
        return getattr(self._client(kind.service), kind.operations)

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        module, name = _CLIENTS[service]
        try:
            from azure.identity import DefaultAzureCredential

            client = getattr(import_module(module), name)
        except ImportError as exc:
            raise MissingExtra("provider azure", "azure") from exc
        if self._credential is None:
            try:
                self._credential = DefaultAzureCredential(disable_instance_discovery=bool(self._endpoint))
            except ValueError as exc:  # of the variables of the environment that it reads
                raise UsageError(f"Azure's variables in the environment: {exc}", hint="env | grep AZURE_") from exc
        elsewhere = {"base_url": self._endpoint, "credential_scopes": [_SCOPE]} if self._endpoint else {}
        return client(self._credential, self._subscription, **elsewhere)


def _fetched(uri: str, what: str) -> str:
    """Return the end of a text in storage. The address is signed, so it is as secret as a key: no error names it."""
    from azure.core import PipelineClient
    from azure.core.rest import HttpRequest

    client: PipelineClient[Any, Any] = PipelineClient(base_url="")
    end, read = b"", 0
    with client:
        try:
            with client.send_request(HttpRequest("GET", uri), stream=True) as answer:  # else its connection stays open
                answer.raise_for_status()
                for block in answer.iter_bytes():
                    end, read = (end + block)[-CONSOLE_BYTES:], read + len(block)
                    if read > LONGEST_BYTES:
                        break
        except failures() as error:
            raise ProviderError(f"{what}: {type(error).__name__} of the storage") from None
    return end.decode("utf-8", "replace")


def _if_there(call: Callable[[], T]) -> Callable[[], T | None]:
    """Return the same call, which gives None for what is not there; a subscription that is not there is an error."""

    def asked() -> T | None:
        try:
            return call()
        except failures() as exc:
            if is_missing(exc):
                return None
            raise

    return asked


def _shown(pages: Any) -> tuple[dict[str, Any], ...]:
    return tuple(each.as_dict() for each in pages)
