"""What Compute Engine says, as errors of ours: in its words, with the operation or reason to look for, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upload.errors import HarnessError, ProviderError, StockoutError, UsageError

LOGIN = "gcloud auth application-default login"
CHAIN = (
    "GOOGLE_APPLICATION_CREDENTIALS, gcloud's application default credentials, the metadata server of a machine in GCE"
)
ELSEWHERE = frozenset(
    {"ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "QUOTA_EXCEEDED", "quotaExceeded"}
)
IN_USE = frozenset({"RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "resourceInUseByAnotherResource"})
NOT_READY = frozenset({"RESOURCE_NOT_READY", "resourceNotReady"})
SLOWER = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "backendError"})
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_LONGEST_PAUSE_S = 30.0
_TRIES = 8


class Taken(ProviderError):
    """A name that exists already."""


class Conflict(ProviderError):
    """Something that cannot be deleted yet, since something else uses it."""


def failed_operation(what: str, operation: Mapping[str, Any]) -> ProviderError | None:
    """Return the error of an operation that ended, or None if it went well."""
    errors = operation.get("error", {}).get("errors", [])
    if not errors:
        return None
    codes = {each.get("code", "") for each in errors}
    said = "; ".join(f"{each.get('code', '')}: {each.get('message', '')}".rstrip(": ") for each in errors)
    return _kind(codes)(f"{what}: {said} (operation {operation.get('name', '?')})")


def failures() -> tuple[type[Exception], ...]:
    """Return what the SDK, its login and its connections raise."""
    import requests
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError

    return (GoogleAPICallError, GoogleAuthError, requests.exceptions.RequestException)


def pause_s(error: Exception, attempt: int) -> float | None:
    """Return how long to wait before the same call is sent again, or None if that cannot help.

    The service's own Retry-After counts; without it the pause doubles. ``attempt`` counts from 0.
    """
    if _status(error) not in _TRANSIENT and not _reasons(error) & (SLOWER | NOT_READY) and not _is_cut(error):
        return None
    told = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After", "")
    if attempt + 1 >= _TRIES and not _reasons(error) & NOT_READY:
        return None
    return min(_LONGEST_PAUSE_S, float(told) if told.isdigit() else 0.25 * 2**attempt)


def translated(what: str, project: str, error: Exception) -> HarnessError:
    """Return an error of the SDK or of its login as one of ours."""
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

    if isinstance(error, DefaultCredentialsError):
        return UsageError(f"no credentials for Google Cloud; tried {CHAIN}: {_first(error)}", hint=LOGIN)
    if isinstance(error, GoogleAuthError) or _status(error) == 401:
        return ProviderError(f"{what}: Google Cloud refuses the credentials: {_first(error)}", hint=LOGIN)
    reasons, said = _reasons(error), f"{what}: {_first(error)}"
    told = f"{said} ({', '.join(sorted(reasons)) or 'no reason'}, HTTP {_status(error) or '-'})"
    if reasons & {"accessNotConfigured", "SERVICE_DISABLED"}:
        return ProviderError(told, hint=f"gcloud services enable compute.googleapis.com --project {project}")
    if _status(error) == 403 and not reasons & ELSEWHERE:
        return ProviderError(told, hint=f"gcloud projects get-iam-policy {project}   (roles/compute.admin is needed)")
    if _status(error) == 409:
        return Taken(told)
    if _status(error) == 404 and f"projects/{project}'" in said:
        return UsageError(told, hint="gcloud projects list, and put the right one under provider.project")
    return _kind(reasons)(told)


def _kind(codes: set[str]) -> type[ProviderError]:
    if codes & ELSEWHERE:
        return StockoutError
    return Conflict if codes & (IN_USE | NOT_READY) else ProviderError


def _status(error: Exception) -> int:
    return int(getattr(error, "code", None) or 0)


def _reasons(error: Exception) -> set[str]:
    listed = [each for each in getattr(error, "errors", None) or () if isinstance(each, dict)]
    return {str(each["reason"]) for each in listed if "reason" in each}


def _is_cut(error: Exception) -> bool:
    """Say whether the connection failed, so that it is unknown whether the call arrived."""
    import requests
    from google.auth.exceptions import TransportError

    return isinstance(error, (requests.exceptions.RequestException, TransportError))


def _first(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error)
    return text.strip().splitlines()[0][:500] if text.strip() else type(error).__name__
