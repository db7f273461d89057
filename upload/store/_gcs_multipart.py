"""A whole object in one request: its properties and its bytes, ``uploadType=multipart``.

The library does the same at nearly twice the processor time, most of it spent on merging options that are equal for
every object; a build has thousands. Protocol: gcs.md; https://cloud.google.com/storage/docs/uploading-objects#rest-upload-objects.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import requests
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from google.cloud.storage.exceptions import InvalidResponse
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout

from upload.store._gcs_errors import LostAnswer
from upload.store._gcs_payload import BLOCK_BYTES

Resource = dict[str, Any]
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class _Route:
    """How a session reaches the bucket. ``target``: what a request line says."""

    adapter: HTTPAdapter
    request: PreparedRequest
    pool: HTTPConnectionPool
    target: str


@dataclass(slots=True)
class Multipart:
    """Uploads into one bucket. ``session``: the library's, with its credentials, proxies and certificates."""

    session: AuthorizedSession
    url: str
    user_agent: str
    timeouts: Callable[[], tuple[float, float]]
    _known: _Route | None = None

    @classmethod
    def of(cls, client: storage.Client, bucket: str, timeouts: Callable[[], tuple[float, float]]) -> Multipart:
        """Return what uploads as a client would."""
        connection = client._connection  # noqa: SLF001  # the library has no name for where it sends things
        url = f"{connection.API_BASE_URL}/upload/storage/v1/b/{quote(bucket, safe='')}/o?uploadType=multipart"
        return cls(client._http, url, connection.user_agent, timeouts)  # noqa: SLF001  # its session, with its credentials

    def send(self, properties: Resource, body: bytes, *, replaces: int) -> Resource:
        """Write an object if its generation is ``replaces``, and return it as the server describes it.

        ``properties``: those of an object resource, such as ``name``, ``contentType`` and ``crc32c``, which the server
        checks. Raises the library's errors; LostAnswer when the answer does not describe an object.
        """
        boundary = secrets.token_hex(16)
        message = b"".join(_parts(boundary, properties, body))
        content_type = f'multipart/related; boundary="{boundary}"'
        answer = self._post(f"&ifGenerationMatch={replaces}", message, content_type)
        if answer.status != 200:
            route = self._route()
            refusal = route.adapter.build_response(route.request, answer)
            raise InvalidResponse(refusal, f"HTTP {answer.status}: {answer.data[:200].decode('utf-8', 'replace')}")
        resource = json.loads(answer.data)
        if not isinstance(resource, dict):
            raise LostAnswer("the answer does not describe the object")
        return resource

    def _post(self, more: str, body: bytes, content_type: str) -> BaseHTTPResponse:
        answer = self._post_once(more, body, content_type)
        if answer.status == _UNAUTHORIZED and self.session.credentials.token:  # it may have ended before its time
            self.session.credentials.refresh(self.session._auth_request)  # noqa: SLF001  # what refreshes for the session
            answer = self._post_once(more, body, content_type)
        return answer

    def _post_once(self, more: str, body: bytes, content_type: str) -> BaseHTTPResponse:
        route, (connect_s, read_s) = self._route(), self.timeouts()
        headers = {"User-Agent": self.user_agent, "Content-Type": content_type, "Content-Length": str(len(body))}
        self.session.credentials.before_request(self.session._auth_request, "POST", self.url, headers)  # noqa: SLF001  # the same
        return route.pool.urlopen(
            "POST",
            route.target + more,
            [body[start : start + BLOCK_BYTES] for start in range(0, len(body), BLOCK_BYTES)],
            headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=Timeout(connect=connect_s, read=read_s),
        )

    def _route(self) -> _Route:
        """Return the way to the bucket, as requests would find it anew for each object."""
        session, adapter = self.session, cast("HTTPAdapter", self.session.get_adapter(self.url))
        if self._known is None or self._known.adapter is not adapter:
            request = requests.Request("POST", self.url).prepare()
            pool = adapter.get_connection_with_tls_context(
                request, session.verify, proxies=session.proxies, cert=session.cert
            )
            adapter.cert_verify(pool, self.url, session.verify, session.cert)
            self._known = _Route(adapter, request, pool, adapter.request_url(request, session.proxies))
        return self._known


def _parts(boundary: str, properties: Resource, body: bytes) -> tuple[bytes, ...]:
    head = json.dumps(properties)
    content_type = properties["contentType"]
    return (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{head}\r\n".encode(),
        f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode(),
        body,
        f"\r\n--{boundary}--".encode(),
    )
