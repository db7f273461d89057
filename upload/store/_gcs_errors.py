"""What an error of the Google library means: will it pass, might the object be stored all the same, what to tell the user."""

from __future__ import annotations

import http.client
import json
from email.utils import parsedate_to_datetime

import requests
import urllib3
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

from upload.errors import PreconditionFailed, StoreError
from upload.layout import printable

_PASSING_STATUS = (408, 429, 500, 502, 503, 504)
_LONGEST_ASKED_S = 3600
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
    return status in _PASSING_STATUS or 200 <= status < 300  # a success that says too little is a lost answer


def asked_wait_s(error: Exception) -> float:
    """Return the seconds of a refusal's Retry-After, 0 where there is none that can be read; an hour at most."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    told = str(headers.get("retry-after", "")).strip()
    if told.isascii() and told.isdigit():
        return float(min(int(told[:9]), _LONGEST_ASKED_S))
    try:
        moment = parsedate_to_datetime(told)
        now = parsedate_to_datetime(headers.get("date", ""))  # their clock, not ours
        return min(max(0.0, (moment - now).total_seconds()), float(_LONGEST_ASKED_S))
    except (TypeError, ValueError):
        return 0.0


def is_unclear(error: StoreError) -> bool:
    """Say whether a write that ended so may have been stored: everything but a clear no."""
    return error.status in (0, 412, *_PASSING_STATUS)


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
    hint = "" if status else "is there a network, and a proxy to be named in HTTPS_PROXY? Then the same command again"
    return StoreError(uri, status, _said(error), hint=hint)


def _status(error: Exception) -> int:
    if isinstance(error, api.GoogleAPICallError):
        return int(error.code or 0)
    if isinstance(error, InvalidResponse):
        return int(error.response.status_code)
    return 0


def _said(error: Exception) -> str:
    """Return an error's text, which holds what a server answered: one printable line, cut."""
    text = error.message if isinstance(error, api.GoogleAPICallError) else f"{type(error).__name__}: {error}"
    return printable(" ".join(str(text).split()), 200)
