"""What an answer of a bucket means for trying again."""

from __future__ import annotations

import pytest
import requests
from google.cloud.storage.exceptions import InvalidResponse

from upload.store._gcs_errors import asked_wait_s, is_passing

DATE = "Sun, 22 Nov 2026 21:00:00 GMT"


def refusal(status: int, **headers: str) -> InvalidResponse:
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return InvalidResponse(response, "no")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 0.0),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "9" * 400}, 3600.0),
        ({"retry_after": "-1"}, 0.0),
        ({"retry_after": "soon"}, 0.0),
        ({"retry_after": "²"}, 0.0),
        ({"retry_after": "Sun, 22 Nov 2026 21:00:30 GMT", "date": DATE}, 30.0),
        ({"retry_after": "Sun, 22 Nov 2026 20:00:00 GMT", "date": DATE}, 0.0),
        ({"retry_after": "Sun, 22 Nov 2026 21:00:30 GMT"}, 0.0),
        ({"retry_after": "Sun, 22 Nov 2026 21:00:30", "date": DATE}, 0.0),
    ],
    ids=lambda value: str(value)[:60],
)
def test_retry_after_is_read_as_seconds_or_as_a_date_by_their_clock(headers: dict[str, str], expected: float) -> None:
    assert asked_wait_s(refusal(503, **headers)) == expected


def test_error_without_an_answer_asks_for_no_wait() -> None:
    assert asked_wait_s(ConnectionResetError()) == 0.0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_status_that_passes_is_tried_again(status: int) -> None:
    assert is_passing(refusal(status))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 412, 499, 501])
def test_status_that_stays_is_not_tried_again(status: int) -> None:
    assert not is_passing(refusal(status))
