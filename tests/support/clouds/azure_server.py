"""Serves the fake of Azure's Resource Manager and of its login over TLS on loopback, and checks both directions.

The certificate is issued by an authority that is made for the tests; clients are told of it and verify it.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import certifi
import trustme

from tests.support.clouds.azure import (
    ADDRESSES,
    BALANCERS,
    GROUPS,
    LINKS,
    MACHINES,
    NAMESPACES,
    NETWORKS,
    RULES,
    Answer,
    Arm,
    Call,
    Said,
)
from tests.support.clouds.azure_models import check_model
from tests.support.clouds.azure_subscription import SUBSCRIPTION
from tests.support.clouds.discovery import Refused
from tests.support.http_server import running

TENANT, CLIENT, SECRET = "00000000-0000-4000-8000-0000000000aa", "e2e", "not a real secret"
TOKEN = "token-of-the-tests"
_VERSIONS = {"resource": "2025-04-01", "network": "2026-03-01", "compute": "2026-04-01"}
_MODELS = {
    GROUPS: ("resource", "ResourceGroup"),
    "resources": ("resource", "GenericResourceExpanded"),
    NETWORKS: ("network", "VirtualNetwork"),
    RULES: ("network", "NetworkSecurityGroup"),
    ADDRESSES: ("network", "PublicIPAddress"),
    LINKS: ("network", "NetworkInterface"),
    BALANCERS: ("network", "LoadBalancer"),
    MACHINES: ("compute", "VirtualMachine"),
}
_VIEW = ("compute", "VirtualMachineInstanceView")
_CONSOLE = ("compute", "RetrieveBootDiagnosticsDataResult")
_QUERY = {
    "sasUriExpirationTimeInMinutes",
    "api-version",
    "$filter",
    "$skiptoken",
    "forceDeletionTypes",
    "forceDeletion",
}
_SHAPES = (
    (r"/resourcegroups(?P<all>)", GROUPS),
    (r"/resourcegroups/(?P<group>[^/]+)", GROUPS),
    (r"/resourcegroups/(?P<group>[^/]+)/(?P<inside>resources)", ""),
    (r"/resourcegroups/(?P<group>[^/]+)/providers/(?P<space>[^/]+)/(?P<kind>\w+)/(?P<name>[^/]+)", ""),
    (
        r"/resourcegroups/(?P<group>[^/]+)/providers/(?P<space>[^/]+)/(?P<kind>\w+)/(?P<name>[^/]+)/(?P<view>instanceView)",
        "",
    ),
    (
        r"/resourcegroups/(?P<group>[^/]+)/providers/(?P<space>[^/]+)/(?P<kind>\w+)/(?P<name>[^/]+)/(?P<console>retrieveBootDiagnosticsData)",
        "",
    ),
    (r"/providers/(?P<namespace>[A-Za-z.]+)/register", ""),
    (r"/(?P<poll>operations|results)/(?P<name>operation-\d+)", ""),
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    arm: Arm

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked was killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_PATCH = do_PUT = do_GET  # noqa: N815  # http.server's names

    def log_message(self, *_: Any) -> None:
        pass

    @property
    def home(self) -> str:
        """The address of this server."""
        return f"https://127.0.0.1:{self.server.server_address[1]}"

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        sent = self.rfile.read(size)
        if len(sent) < size:  # whoever asked was killed in the middle of it
            self.close_connection = True
            return
        path = urlsplit(self.path).path
        try:
            if path.startswith("/console/"):
                self._send_console(path)
                return
            if path.startswith(f"/{TENANT}/"):
                status, answer, headers = _login(self.home, path, sent)
            else:
                status, answer, headers = self._answered(path, sent)
        except Said as said:
            status, answer, headers = said.status, _error(said.code, said.message), said.headers
        except Exception as error:
            self.server.arm.refused.append(f"{type(error).__name__}: {error}")
            status, answer, headers = 400, _error("RefusedByTheFake", str(error)), {}
        self._send(status, answer, headers)

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        body = b"" if answer is None else json.dumps(answer).encode()
        told = {"Content-Type": "application/json", "x-ms-request-id": f"request-{len(self.server.arm.calls)}"}
        if status != 204:
            told["Content-Length"] = str(len(body))
        try:
            self.send_response(status)
            for name, value in (told | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # whoever asked was killed
            self.close_connection = True

    def _send_console(self, path: str) -> None:
        """Serve a signed address: whoever knows it needs no token."""
        signature = dict(parse_qsl(urlsplit(self.path).query)).get("sig", "")
        text = self.server.arm.read_console(path.rpartition("/")[2], signature)
        body = (text or "").encode()
        self.send_response(200 if text is not None else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answered(self, path: str, sent: bytes) -> tuple[int, Any, dict[str, str]]:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Said(401, "InvalidAuthenticationToken", "The access token is invalid.")
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        told = self.server.arm.subscription.answer(self.command, path, query)
        if told is not None:
            return 200, told, {}
        call, service, model = _call(self.command, path, query, json.loads(sent) if sent else None)
        answer = self.server.arm.answer(call)
        body = answer.body
        if body and "value" in body:
            for each in body["value"]:
                check_model(service, model, each, is_request=False)
            if "nextLink" in body:
                body["nextLink"] = f"{self.home}{path}?{urlencode({**query, '$skiptoken': body['nextLink']})}"
        elif body and model:
            if "serialConsoleLogBlobUri" in body:
                body["serialConsoleLogBlobUri"] = self.home + body["serialConsoleLogBlobUri"]
            check_model(service, model, body, is_request=False)
        return answer.status, body, self._polled(call, answer)

    def _polled(self, call: Call, answer: Answer) -> dict[str, str]:
        """Return the headers of a long operation. A deletion is polled by its result, all else by its status."""
        pause = {"retry-after-ms": "30"}
        if call.id.startswith("poll."):
            return pause
        if not answer.operation:
            return {}
        version = f"?api-version={call.query['api-version']}"
        here = f"{self.home}/subscriptions/{SUBSCRIPTION}"
        if call.id.startswith("delete."):
            return pause | {"Location": f"{here}/results/{answer.operation}{version}"}
        return pause | {"Azure-AsyncOperation": f"{here}/operations/{answer.operation}{version}"}


def _call(method: str, path: str, query: dict[str, str], body: Any) -> tuple[Call, str, str]:
    """Return a request as a call, with the service and the model of its answer. Raises: Said, Refused."""
    asked, _, rest = path.removeprefix("/subscriptions/").partition("/")
    if asked != SUBSCRIPTION:
        raise Said(404, "SubscriptionNotFound", f"The subscription '{asked}' could not be found.")
    if strange := set(query) - _QUERY:
        raise Refused(f"{method} {path}: the fake does not know the parameters {sorted(strange)}")
    shapes = ((re.fullmatch(shape, f"/{rest}", re.IGNORECASE), fixed) for shape, fixed in _SHAPES)
    found, fixed = next(((match, fixed) for match, fixed in shapes if match), (None, ""))
    if found is None:
        raise Refused(f"the fake does not know {method} {path}")
    parts = found.groupdict()
    group, name = parts.get("group", ""), parts.get("name", "")
    if "poll" in parts:
        return Call(f"poll.{parts['poll']}", "", name, query, None), "", ""
    if "namespace" in parts:
        return Call(f"register.{parts['namespace']}", "", "", query, None), "", ""
    kind = fixed or parts.get("inside") or parts["kind"]
    if kind not in _MODELS or ("space" in parts and NAMESPACES[kind] != parts["space"]):
        raise Refused(f"the fake does not know {path}")
    service, model = _MODELS[kind]
    if query.get("api-version") != _VERSIONS[service]:
        raise Refused(f"{method} {path}: the fake does not know the version {query.get('api-version')}")
    verb = {"PUT": "create", "DELETE": "delete", "GET": "get"}.get(method, method)
    if verb == "create":
        check_model(service, model, body, is_request=True)
    elif body is not None:
        raise Refused(f"{method} {path}: no body is expected")
    if "console" in parts:
        return Call(f"console.{kind}", group, name, query, None), *_CONSOLE
    if "view" in parts:
        return Call(f"view.{kind}", group, name, query, None), *_VIEW
    if verb == "get" and ("all" in parts or "inside" in parts):
        verb = "list"
    return Call(f"{verb}.{kind}", group, name, query, body), service, model


def _login(home: str, path: str, sent: bytes) -> tuple[int, Any, dict[str, str]]:
    """Answer as the login of a tenant does."""
    if path.endswith("/v2.0/.well-known/openid-configuration"):
        tenant = f"{home}/{TENANT}"
        told = {"token_endpoint": f"{tenant}/oauth2/v2.0/token", "issuer": f"{tenant}/v2.0"}
        return 200, told | {"authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize"}, {}
    form = {key: values[0] for key, values in parse_qs(sent.decode()).items()}
    if path != f"/{TENANT}/oauth2/v2.0/token" or form.get("grant_type") != "client_credentials":
        raise Refused(f"the fake does not know {path} {form.get('grant_type')}")
    if form["scope"] != "https://management.azure.com/.default":
        raise Refused(f"the fake does not know the scope {form['scope']}")
    if (form["client_id"], form["client_secret"]) != (CLIENT, SECRET):
        what = "AADSTS7000222: The provided client secret keys for app 'e2e' are expired."
        return 401, {"error": "invalid_client", "error_description": what, "error_codes": [7000222]}, {}
    return 200, {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}, {}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@dataclass(frozen=True, slots=True)
class Served:
    """Where the fake is. ``variables``: what a process needs in its environment to be let in there, and nowhere else."""

    address: str
    variables: dict[str, str]


@contextmanager
def serving(arm: Arm, folder: Path) -> Iterator[Served]:
    """Serve a fake. ``folder``: where the authority's certificate is put, beside those that are trusted anyhow.

    What had to be refused fails the test.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.arm = arm
    authority = folder / "azure-ca.pem"
    authority.write_bytes(Path(certifi.where()).read_bytes() + _authority().cert_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    address = f"https://127.0.0.1:{server.server_address[1]}"
    variables = {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_CLIENT_SECRET": SECRET,
        "AZURE_AUTHORITY_HOST": address,
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
        "REQUESTS_CA_BUNDLE": str(authority),
    }
    with running(server):
        yield Served(address, variables)
    if arm.refused:
        raise Refused("; ".join(arm.refused))
