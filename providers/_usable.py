"""Waits until a cluster is usable: its nodes Ready, a new namespace with its default service account.

A ready control plane is not a ready cluster (lab.md section 8).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection

from providers import process
from providers.api import Api, ApiRefused
from providers.contracts import Deadline
from upload.errors import DeadlineExceeded, StepError

Look = Callable[[], str]
NOT_READY_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
CONFLICT = 409


def wait_until(step: str, look: Look, deadline: Deadline, *, every_s: float = process.POLL_S) -> None:
    """Call ``look`` until it returns an empty text; what it returns is what is still missing.

    Raises: StepError with the last observation when the time is over.
    """
    while missing := look():
        try:
            process.pause(deadline, every_s)
        except DeadlineExceeded as exc:
            raise StepError(step, f"not done after {deadline.total_s:g} s; last: {missing}") from exc


def nodes_missing(api: Api, names: Collection[str], *, taints_removed: bool = True) -> str:
    """Say which of the nodes are not usable yet and why; empty when all are.

    ``taints_removed``: also wait for the controller manager to take the not-ready taint away.
    """
    seen = {node["metadata"]["name"]: node for page in api.pages("/api/v1/nodes") for node in page}
    problems = []
    for name in names:
        if name not in seen:
            problems.append(f"{name} does not exist")
        elif not _is_ready(seen[name]):
            problems.append(f"{name} is not Ready")
        elif taints_removed and _is_tainted(seen[name]):
            problems.append(f"{name} has a not-ready taint")
    return ", ".join(problems)


def _is_ready(node: dict[str, object]) -> bool:
    status = node.get("status")
    conditions = status.get("conditions") or [] if isinstance(status, dict) else []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _is_tainted(node: dict[str, object]) -> bool:
    spec = node.get("spec")
    taints = spec.get("taints") or [] if isinstance(spec, dict) else []
    return any(taint.get("key") in NOT_READY_TAINTS for taint in taints)


def wait_for_service_account(step: str, api: Api, deadline: Deadline, *, labels: dict[str, str]) -> None:
    """Make a namespace, wait for its default service account, and delete it again without waiting for that."""
    name = f"e2e-probe-{secrets.token_hex(4)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    api.post("/api/v1/namespaces", body)

    def look() -> str:
        try:
            api.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")
        except ApiRefused as error:
            return f"namespace {name} has no default service account: {error}"
        return ""

    try:
        wait_until(step, look, deadline)
    finally:
        api.delete(f"/api/v1/namespaces/{name}")
