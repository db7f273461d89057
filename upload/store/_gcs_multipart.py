"""A whole object in one request: its properties and its bytes, ``uploadType=multipart``.

The library does the same at three times the processor time, most of it spent on merging options that are equal for every
object; a build has thousands. Protocol: gcs.md; https://cloud.google.com/storage/docs/uploading-objects#rest-upload-objects.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage
from google.cloud.storage.exceptions import InvalidResponse
from requests import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from upload.store._gcs_errors import LostAnswer

Resource = dict[str, Any]
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Multipart:
    """Uploads into one bucket. ``session``: the library's, with its credentials, proxies and certificates."""

    session: AuthorizedSession
    url: str
    user_agent: str
    timeouts: Callable[[], tuple[float, float]]

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
        answer = self._post(
            f"{self.url}&ifGenerationMatch={replaces}",
            b"".join(_parts(boundary, properties, body)),
            f'multipart/related; boundary="{boundary}"',
        )
        if answer.status_code != 200:
            raise InvalidResponse(answer, f"HTTP {answer.status_code}: {answer.text[:200]}")
        resource = answer.json()
        if not isinstance(resource, dict):
            raise LostAnswer("the answer does not describe the object")
        return resource

    def _post(self, url: str, body: bytes, content_type: str) -> Response:
        answer = self._post_once(url, body, content_type)
        if answer.status_code == _UNAUTHORIZED and self.session.credentials.token:  # it may have ended before its time
            self.session.credentials.refresh(self.session._auth_request)  # noqa: SLF001  # what refreshes for the session
            answer = self._post_once(url, body, content_type)
        return answer

    def _post_once(self, url: str, body: bytes, content_type: str) -> Response:
        session, timeout = self.session, self.timeouts()
        headers = {"User-Agent": self.user_agent, "Content-Type": content_type, "Content-Length": str(len(body))}
        session.credentials.before_request(session._auth_request, "POST", url, headers)  # noqa: SLF001  # the same
        request = PreparedRequest()
        request.method, request.url, request.body = "POST", url, body
        request.headers = CaseInsensitiveDict(headers)
        adapter = session.get_adapter(url)
        answer = adapter.send(
            request, timeout=timeout, verify=session.verify, cert=session.cert, proxies=session.proxies
        )
        answer.content  # noqa: B018  # reading it gives the connection back
        return answer


def _parts(boundary: str, properties: Resource, body: bytes) -> tuple[bytes, ...]:
    head = json.dumps(properties)
    content_type = properties["contentType"]
    return (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{head}\r\n".encode(),
        f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode(),
        body,
        f"\r\n--{boundary}--".encode(),
    )
