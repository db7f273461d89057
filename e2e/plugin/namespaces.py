"""Namespaces of a test: unique, labelled with the run, removed without waiting."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping

from lightkube import ApiError, Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, Pod, ServiceAccount

from e2e.plugin.waiting import Waiting
from providers.contracts import RUN_LABEL, run_label

SHORT_CHARS = 40
READY_S = 20.0
NOT_FOUND = 404
CONFLICT = 409


def namespace_name(test_name: str, token: Callable[[], str] = lambda: secrets.token_hex(4)) -> str:
    """Return ``e2e-<short>-<random>``, a valid DNS label. Not from ``random``: pytest-randomly seeds it per test."""
    short = re.sub(r"[^a-z0-9]+", "-", test_name.lower().removeprefix("test_"))[:SHORT_CHARS].strip("-")
    return "-".join(part for part in ("e2e", short, token()) if part)


def create_namespace(client: Client, name: str, *, run: str, labels: Mapping[str, str], waiting: Waiting) -> None:
    """Create a namespace and wait until pods can be made in it: until its default service account is there."""
    marks = {**labels, RUN_LABEL: run_label(run)}
    client.create(Namespace(metadata=ObjectMeta(name=name, labels=marks)))
    waiting.eventually(
        lambda: client.get(ServiceAccount, "default", namespace=name),
        timeout_s=READY_S,
        what=f"namespace {name} gets its default service account (serviceaccount-controller)",
    )


def remove_namespace(client: Client, name: str) -> None:
    """Ask for the removal of a namespace and do not wait for it; one that is gone or going is fine."""
    try:
        client.delete(Namespace, name)
        # The namespace controller looks again only after half of the pods' grace period, so leave them none.
        client.deletecollection(Pod, namespace=name, grace_period=0)
    except ApiError as error:
        if error.status.code not in (NOT_FOUND, CONFLICT):
            raise
