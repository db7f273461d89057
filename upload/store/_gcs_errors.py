"""What an error of the Google library means: will it pass, might the object be stored all the same, what to tell the user."""

from __future__ import annotations

import http.client
import json

import requests
import urllib3
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

from upload.errors import PreconditionFailed, StoreError
from upload.layout import printable

_PASSING_STATUS = (408, 429, 500, 502, 503, 504)
_PASSING = (
    ConnectionError,
    TimeoutError,
    json.JSONDecodeError,  # a 200 that was cut short: the object is stored, the answer is lost
    http.client.HTTPException,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.JSONDecodeError,
    urllib3.exceptions.HTTPError,
    auth.TransportError,
    DataCorruption,
)


class LostAnswer(ConnectionError):
    """A success whose answer cannot be used: it was cut, or says less than it must."""


def is_passing(error: Exception) -> bool:
    """Say whether trying again from the start may help. Never for 401, 403, 404 of the bucket, and 412."""
    if isinstance(error, _PASSING):
        return True
    status = _status(error)
    if status in (404, 410):
        return _is_of_session(error)  # the session is gone; a new one may be begun
    return status in _PASSING_STATUS or 200 <= status < 300  # a success that says too little is a lost answer


def is_passing_piece(error: Exception) -> bool:
    """Say whether a piece of a session may just be sent again: bytes that arrived already are dropped.

    Not after an answer that cannot be read: the library takes the session for finished then.
    """
    if isinstance(error, json.JSONDecodeError | requests.exceptions.JSONDecodeError | DataCorruption):
        return False
    return is_passing(error) and _status(error) not in (200, 404, 410)


def is_unclear(error: StoreError) -> bool:
    """Say whether a write that ended so may have been stored: everything but a clear no."""
    return error.status in (0, 404, 410, 412, *_PASSING_STATUS)


def translate(error: Exception, uri: str, bucket: str) -> StoreError:
    """Return our error for one of the library, with the command that may help."""
    status = _status(error)
    if status == 412:
        return PreconditionFailed(uri)
    if isinstance(error, auth.GoogleAuthError) or status == 401:
        return StoreError(
            uri, 401, f"no valid credentials: {_said(error)}", hint="gcloud auth application-default login"
        )
    if status == 403:
        hint = f"gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=… --role=roles/storage.objectUser"
        return StoreError(uri, 403, f"not allowed: {_said(error)}", hint=hint)
    if status == 404:
        hint = f"gcloud storage buckets create gs://{bucket} --uniform-bucket-level-access"
        return StoreError(uri, 404, f"not found; is there a bucket {bucket}?", hint=hint)
    return StoreError(uri, status, _said(error))


def _status(error: Exception) -> int:
    if isinstance(error, api.GoogleAPICallError):
        return int(error.code or 0)
    if isinstance(error, InvalidResponse):
        return int(error.response.status_code)
    return 0


def _is_of_session(error: Exception) -> bool:
    response = getattr(error, "response", None)
    return response is not None and getattr(response.request, "method", "") == "PUT"  # only pieces are sent by PUT


def _said(error: Exception) -> str:
    """Return an error's text, which holds what a server answered: one printable line, cut."""
    text = error.message if isinstance(error, api.GoogleAPICallError) else f"{type(error).__name__}: {error}"
    return printable(" ".join(str(text).split()), 200)
