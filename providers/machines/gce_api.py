"""Compute v1 by the official SDK: JSON in and out, retries that keep to Retry-After, operations that are waited for.

The SDK's own waiting asks the default host whatever endpoint is given, so that operations are waited for here, by the
service's long poll. Importing the SDK takes seconds: only what calls does it.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from providers.contracts import Deadline
from providers.machines.gce_errors import failed_operation, failures, pause_s, translated
from providers.machines.gce_resources import Kind
from upload.errors import DeadlineExceeded, MissingExtra, ProviderError

T = TypeVar("T")
ENDPOINT = "E2E_GCE_ENDPOINT"
_SCOPE = "https://www.googleapis.com/auth/compute"
_READ_SCOPE = "https://www.googleapis.com/auth/cloud-platform.read-only"
_RESOURCE_MANAGER = "https://cloudresourcemanager.googleapis.com"
_PERMISSIONS = "permissions"
_CALL_S = 60.0
_POLL_S = 130.0  # the service answers a wait after 120 s at most


class GceApi:
    """One project, until a deadline. Safe to use from several threads. ``endpoint``: another server, or empty."""

    def __init__(self, project: str, deadline: Deadline, *, endpoint: str = "") -> None:
        self.project = project
        self.deadline = deadline
        self._endpoint = endpoint
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._credentials: Any = None
        self._clients: dict[str, Any] = {}

    def stop(self) -> None:
        """Break off what waits."""
        self._stopped.set()

    def get(self, kind: Kind, place: str, name: str) -> dict[str, Any] | None:
        """Return a resource, or None where there is none."""
        where = {"project": self.project, **_scope(kind, place), kind.one: name}
        return self.ask(f"reading {kind.one} {name}", kind.many, "get", where, missing=True)

    def insert(self, kind: Kind, place: str, body: Mapping[str, Any]) -> None:
        """Create a resource and wait until it is there. Raises: Taken, StockoutError, Conflict, ProviderError."""
        what = f"creating {kind.one} {body['name']}"
        where = {"project": self.project, **_scope(kind, place), f"{kind.one}_resource": body}
        self._operate(what, kind.many, "insert_unary", where)

    def delete(self, kind: Kind, place: str, name: str) -> None:
        """Delete a resource and wait until it is gone; one that is not there is success. Raises: Conflict, ProviderError."""
        where = {"project": self.project, **_scope(kind, place), kind.one: name}
        self._operate(f"deleting {kind.one} {name}", kind.many, "delete_unary", where, missing=True)

    def list(self, kind: Kind, wanted: str) -> tuple[dict[str, Any], ...]:
        """Return all that a filter lets pass, of all zones and regions."""
        what, where = f"listing {kind.many}", {"project": self.project, "filter": wanted}
        return self.listed(what, kind.many, where, is_aggregated=kind.scope != "global")

    def listed(
        self, what: str, service: str, where: Mapping[str, Any], *, is_aggregated: bool = False
    ) -> tuple[dict[str, Any], ...]:
        """Return every item of a list, page by page."""

        def pages(client: Any, timeout_s: float) -> tuple[dict[str, Any], ...]:
            method = client.aggregated_list if is_aggregated else client.list
            pager = method(request=dict(where), retry=None, timeout=timeout_s)
            shown = (item for _, each in pager for item in getattr(each, service)) if is_aggregated else pager
            return tuple(_shown(item) for item in shown)

        return self._send(what, service, pages, _CALL_S)

    def ask(
        self, what: str, service: str, method: str, where: Mapping[str, Any], *, missing: bool = False
    ) -> dict[str, Any] | None:
        """Return the answer of one call; with ``missing`` None where there is nothing."""
        from google.api_core.exceptions import NotFound

        def call(client: Any, timeout_s: float) -> dict[str, Any] | None:
            try:
                return _shown(getattr(client, method)(request=_request(where), retry=None, timeout=timeout_s))
            except NotFound as exc:
                if missing and f"projects/{self.project}'" not in str(exc):
                    return None
                raise

        return self._send(what, service, call, _CALL_S)

    def permissions(self, wanted: Sequence[str]) -> frozenset[str]:
        """Return which of some permissions whoever asks has on the project. Compute v1 cannot tell; Resource Manager can."""

        def call(session: Any, timeout_s: float) -> frozenset[str]:
            from google.api_core.exceptions import from_http_response

            url = f"{self._endpoint or _RESOURCE_MANAGER}/v1/projects/{self.project}:testIamPermissions"
            answer = session.post(url, json={"permissions": list(wanted)}, timeout=timeout_s)
            if answer.status_code != 200:
                raise from_http_response(answer)  # type: ignore[no-untyped-call]  # the library's
            return frozenset(answer.json().get("permissions", ()))

        return self._send("asking for permissions", _PERMISSIONS, call, _CALL_S)

    def _operate(
        self, what: str, service: str, method: str, where: Mapping[str, Any], *, missing: bool = False
    ) -> None:
        request = {**where, "request_id": str(uuid.uuid4())}  # the same in every retry: nothing is made twice
        operation = self.ask(what, service, method, request, missing=missing)
        if operation is None:
            return
        ended = self._ended(what, operation)
        if error := failed_operation(what, ended):
            raise error

    def _ended(self, what: str, operation: dict[str, Any]) -> dict[str, Any]:
        scope = next((key for key in ("zone", "region") if operation.get(key)), "global")
        where = {"project": self.project, "operation": operation["name"]}
        if scope != "global":
            where[scope] = operation[scope].rpartition("/")[2]
        while operation.get("status") != "DONE":
            if self.deadline.remaining_s() <= 0:
                told = f"{what}, operation {operation['name']},"
                raise DeadlineExceeded(
                    told, self.deadline.total_s, hint=f"gcloud compute operations list --project {self.project}"
                )
            operation = self._send(
                what,
                f"{scope}_operations",
                lambda client, timeout_s: _shown(client.wait(request=where, retry=None, timeout=timeout_s)),
                _POLL_S,
            )
        return operation

    def _send(self, what: str, service: str, call: Callable[[Any, float], T], longest_s: float) -> T:
        """Send a call, again where that may help, until the deadline."""
        attempt = 0
        while True:
            if self._stopped.is_set():
                raise ProviderError(f"{what}: stopped")
            timeout_s = min(longest_s, self.deadline.remaining_s() + 1)
            try:
                return call(self._client(service), timeout_s)
            except failures() as exc:
                pause = pause_s(exc, attempt)
                if pause is None or pause >= self.deadline.remaining_s():
                    raise translated(what, self.project, exc) from exc
            attempt += 1
            self._stopped.wait(pause)

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        try:
            import google.auth
            from google.api_core.client_options import ClientOptions
            from google.cloud import compute_v1
        except ImportError as exc:
            raise MissingExtra("provider gce", "gce") from exc
        if service == _PERMISSIONS:
            from google.auth.transport.requests import AuthorizedSession

            credentials, _ = google.auth.default(scopes=[_READ_SCOPE])
            if hasattr(credentials, "with_always_use_jwt_access"):  # a service account's, which the SDK treats so, too
                credentials = credentials.with_always_use_jwt_access(True)
            return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # the library's
        if self._credentials is None:
            self._credentials, _ = google.auth.default(scopes=[_SCOPE])
        name = "".join(word[0].upper() + word[1:] for word in service.split("_"))
        options = ClientOptions(api_endpoint=self._endpoint) if self._endpoint else None
        return getattr(compute_v1, f"{name}Client")(credentials=self._credentials, client_options=options)


def _scope(kind: Kind, place: str) -> dict[str, str]:
    return {} if kind.scope == "global" else {kind.scope: place}


def _request(where: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call takes: bodies, which are JSON with us, as the SDK's messages."""
    from google.cloud import compute_v1

    made = {}
    for key, value in where.items():
        if key.endswith("_resource"):
            message = getattr(compute_v1, key.removesuffix("_resource").capitalize())
            made[key] = message.from_json(json.dumps(value))
        else:
            made[key] = value
    return made


def _shown(message: Any) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(
        type(message).to_json(message, use_integers_for_enums=False, always_print_fields_with_no_presence=False)
    )
    return shown
