"""What a cluster must show before it is called usable: nodes Ready, a new namespace with its default service account.

A ready control plane is not a ready cluster (lab.md section 8).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from providers import process
from providers.api import Api, ApiRefused
from providers.contracts import Deadline
from upload.errors import DeadlineExceeded, ProviderError, StepError

Look = Callable[[], str]
NOT_READY_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
CONFLICT = 409


def wait_until(
    step: str,
    look: Look,
    deadline: Deadline,
    *,
    check: Callable[[], None] | None = None,
    every_s: float = process.POLL_S,
) -> None:
    """Call ``look`` until it returns an empty text; what it returns, or the error it raises, is what is still missing.

    ``check`` is called at each turn and may raise to end the wait.
    Raises: StepError with the last observation when the time is over.
    """
    while missing := _observed(look):
        if check:
            check()
        try:
            process.pause(deadline, every_s)
        except DeadlineExceeded as exc:
            raise StepError(step, f"not done after {deadline.total_s:g} s; last: {missing}") from exc


def _observed(look: Look) -> str:
    try:
        return look()
    except ProviderError as error:
        return str(error)


def create_missing(api: Api, path: str, body: dict[str, Any]) -> str:
    """Create an object unless it is there; the empty text of a ``Look``."""
    try:
        api.post(path, body)
    except ApiRefused as error:
        if error.status != CONFLICT:
            raise
    return ""


def service_account_missing(api: Api, namespace: str) -> str:
    """Say that a namespace has no default service account yet; empty when it has."""
    api.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
    return ""


def unready(api: Api) -> str:
    """Say that the API server is not ready; empty when it is."""
    return "" if api.text("/readyz") == "ok" else "it is not ready"


def nodes_missing(api: Api, names: Collection[str], *, taints_removed: bool = True) -> str:
    """Say which of the nodes are not usable yet and why; empty when all are.

    ``taints_removed``: also wait for the controller manager to take the not-ready taint away.
    """
    seen = {node["metadata"]["name"]: node for page in api.pages("/api/v1/nodes") for node in page}
    problems = []
    for name in names:
        if name not in seen:
            problems.append(f"{name} does not exist")
        elif not is_ready(seen[name]):
            problems.append(f"{name} is not Ready")
        elif taints_removed and _is_tainted(seen[name]):
            problems.append(f"{name} has a not-ready taint")
    return ", ".join(problems)


def is_ready(node: dict[str, Any]) -> bool:
    """Say whether a node's condition Ready is True."""
    conditions = node.get("status", {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def takes_pods(node: dict[str, Any]) -> bool:
    """Say whether ordinary pods may be placed on a node: no taint keeps them away."""
    taints = node.get("spec", {}).get("taints") or []
    return not any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in taints)


def _is_tainted(node: dict[str, Any]) -> bool:
    return any(taint.get("key") in NOT_READY_TAINTS for taint in node.get("spec", {}).get("taints") or [])
