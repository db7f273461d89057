"""One object in one request, with credentials that a server stops taking."""

from __future__ import annotations

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


def uploads(bucket: Bucket, faults: FaultProxy) -> Multipart:
    client = storage.Client(project="p", credentials=Tokens(), client_options={"api_endpoint": faults.url})
    return Multipart.of(client, bucket.name, lambda: (5.0, 5.0))


def bearer(request: Request) -> str:
    return request.headers.get("authorization", request.headers.get("Authorization", ""))


OBJECT: dict[str, Any] = {"name": "a/b c", "contentType": "text/plain", "metadata": {"k": "v"}}


def test_token_that_ended_early_is_renewed_once(bucket: Bucket, faults: FaultProxy) -> None:
    faults.add(Act.ANSWER, lambda request: bearer(request) == "Bearer token-1", times=9, status=401)

    resource = uploads(bucket, faults).send(OBJECT, b"body", replaces=0)

    assert {key: resource[key] for key in OBJECT} == OBJECT
    assert [bearer(exchange.request) for exchange in faults.log] == ["Bearer token-1", "Bearer token-2"]


def test_new_token_that_is_refused_too_is_an_error(bucket: Bucket, faults: FaultProxy) -> None:
    faults.add(Act.ANSWER, times=9, status=401)

    with pytest.raises(InvalidResponse, match="HTTP 401"):
        uploads(bucket, faults).send(OBJECT, b"body", replaces=0)
    assert len(faults.log) == 2
