"""What Azure's Resource Manager says, as errors of ours: in its words, with the id of the request, and what mends it."""

from __future__ import annotations

import math
import re
from typing import Any

from providers.wording import meant, nearest
from upload.errors import HarnessError, MissingExtra, ProviderError, StockoutError, UsageError

LOGIN = "az login"
CHAIN = "AZURE_CLIENT_ID with a secret or certificate, workload identity, managed identity, the Azure CLI and its kin"
ELSEWHERE = frozenset(
    {
        "SkuNotAvailable",
        "ZonalAllocationFailed",
        "AllocationFailed",
        "OverconstrainedAllocationRequest",
        "OverconstrainedZonalAllocationRequest",
        "QuotaExceeded",
    }
)
# what passes once something else has ended; a network interface is kept for 180 s for a machine that could not be made
NOT_YET = frozenset(
    {
        "AnotherOperationInProgress",
        "NicReservedForAnotherVm",
        "OperationPreempted",
        "ReferencedResourceNotProvisioned",
        "ResourceGroupBeingDeleted",
        "ResourceGroupDeletionBlocked",
        "ResourceGroupDeletionTimeout",
        "RetryableError",
    }
)
LATE = frozenset({"ResourceGroupNotFound", "InvalidResourceReference"})  # just made, and not yet seen everywhere
LATE_S = 60.0
MISSING = frozenset({"ResourceNotFound", "ResourceGroupNotFound", "NotFound"})
REGIONS = frozenset({"LocationNotAvailableForResourceGroup", "LocationNotAvailableForResourceType"})
NO_SUBSCRIPTION = frozenset({"SubscriptionNotFound", "InvalidSubscriptionId"})
_LISTED = re.compile(r"is '(?P<regions>[a-z0-9,\s]{3,4000})'")


class Conflict(ProviderError):
    """Something that cannot be done yet. ``passes_s``: after which time it is an error like any other."""

    def __init__(self, message: str, passes_s: float = math.inf) -> None:
        super().__init__(message)
        self.passes_s = passes_s


def failures() -> tuple[type[Exception], ...]:
    """Return what the SDK, its login and its connections raise. Raises: MissingExtra."""
    try:
        from azure.core.exceptions import AzureError
    except ImportError as exc:
        raise MissingExtra("provider azure", "azure") from exc
    return (AzureError,)


def is_missing(error: Exception) -> bool:
    """Say whether an error means that a resource or its group is not there."""
    return _status(error) == 404 and _code(error) in MISSING


def is_answer(error: Exception) -> bool:
    """Say whether the service answered at all."""
    return _status(error) > 0


def translated(what: str, location: str, error: Exception) -> HarnessError:
    """Return an error of the SDK or of its login as one of ours."""
    from azure.core.exceptions import ClientAuthenticationError

    code, said = _code(error), _said(error)
    if isinstance(error, ClientAuthenticationError) and _status(error) in (0, 400, 401):
        kind = UsageError if _status(error) == 0 else ProviderError
        return kind(f"{what}: no credentials that Azure takes; tried {CHAIN}: {said}", hint=LOGIN)
    told = f"{what}: {f'{code}: ' if code else ''}{said} (request {_request(error)}, HTTP {_status(error) or '-'})"
    if code in REGIONS:
        listed = _LISTED.search(said)
        known = re.split(r"[,\s]+", listed["regions"]) if listed else []
        near = meant(nearest(location, known))
        return UsageError(f"Azure has no location '{location}'{near}", hint="az account list-locations --output table")
    if code in NO_SUBSCRIPTION:
        return UsageError(told, hint="az account list, and put the right one under provider.subscription")
    if code == "MissingSubscriptionRegistration":
        found = re.search(r"Microsoft\.[A-Za-z]+", said)
        return ProviderError(
            told, hint=f"az provider register --namespace {found.group() if found else 'Microsoft.Compute'}"
        )
    if code in ELSEWHERE or (code == "OperationNotAllowed" and "quota" in said.lower()):
        return StockoutError(told)
    if code in NOT_YET:
        return Conflict(told)
    if code in LATE:
        return Conflict(told, LATE_S)
    if _status(error) == 403:
        return ProviderError(told, hint="az role assignment list   (Contributor on the subscription is needed)")
    return ProviderError(told)


def _status(error: Exception) -> int:
    return int(getattr(error, "status_code", None) or 0)


def _code(error: Exception) -> str:
    return str(getattr(getattr(error, "error", None), "code", "") or "")


def _request(error: Exception) -> str:
    headers: Any = getattr(getattr(error, "response", None), "headers", None) or {}
    return str(headers.get("x-ms-request-id", "-"))


def _said(error: Exception) -> str:
    text = str(getattr(getattr(error, "error", None), "message", "") or getattr(error, "message", "") or error)
    return " ".join(text.split())[:500] or type(error).__name__
