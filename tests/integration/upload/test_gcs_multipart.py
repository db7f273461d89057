"""One object in one request, with credentials that a server stops taking."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from google.auth.credentials import Credentials
from google.cloud import storage
from google.cloud.storage.exceptions import InvalidResponse

from tests.support.fault_proxy import Act, FaultProxy
from tests.support.gcs import Bucket
from tests.support.http_messages import Request
from upload.store._gcs_multipart import Multipart


class Tokens(Credentials):
    """Credentials that have a new token at each refresh: token-1, token-2, …"""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.refresh(None)

    def refresh(self, _request: object) -> None:
        self.count += 1
        self.token = f"token-{self.count}"


def uploads(bucket: str, url: str, connect_s: float = 5.0) -> Multipart:
    client = storage.Client(project="p", credentials=Tokens(), client_options={"api_endpoint": url})
    return Multipart.of(client, bucket, lambda: (connect_s, 10.0))


def bearer(request: Request) -> str:
    return request.headers.get("authorization", request.headers.get("Authorization", ""))


OBJECT: dict[str, Any] = {"name": "a/b c", "contentType": "text/plain", "metadata": {"k": "v"}}


def test_token_that_ended_early_is_renewed_once(bucket: Bucket, faults: FaultProxy) -> None:
    faults.add(Act.ANSWER, lambda request: bearer(request) == "Bearer token-1", times=9, status=401)

    resource = uploads(bucket.name, faults.url).send(OBJECT, b"body", replaces=0)

    assert {key: resource[key] for key in OBJECT} == OBJECT
    assert [bearer(exchange.request) for exchange in faults.log] == ["Bearer token-1", "Bearer token-2"]


def test_new_token_that_is_refused_too_is_an_error(bucket: Bucket, faults: FaultProxy) -> None:
    faults.add(Act.ANSWER, times=9, status=401)

    with pytest.raises(InvalidResponse, match="HTTP 401"):
        uploads(bucket.name, faults.url).send(OBJECT, b"body", replaces=0)
    assert len(faults.log) == 2


@contextmanager
def slow_reader(pause_s: float) -> Iterator[str]:
    """Give the address of a server that takes 64 KiB at a time, and then says that there is an object."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader = threading.Thread(target=_read_slowly, args=(listening, pause_s))
        reader.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        reader.join(timeout=30)


def _read_slowly(listening: socket.socket, pause_s: float) -> None:
    connection, _ = listening.accept()
    with connection:
        seen = b""
        while not seen.endswith(b"--") and (block := connection.recv(65536)):
            seen = block[-2:]
            time.sleep(pause_s)  # the pace of a link, not a wait
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"name": 1}')


def test_object_may_take_longer_than_the_silence_that_is_borne() -> None:
    with slow_reader(pause_s=0.02) as url:
        assert uploads("b", url, connect_s=0.8).send(OBJECT, bytes(8 * 1024 * 1024), replaces=0) == {"name": 1}
