"""Joins the other machines: control planes one after the other, since each becomes a member of etcd, workers all at once."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from providers._usable import create_missing, wait_until
from providers.api import Api, ApiRefused
from providers.hosts.marker import Marker
from providers.kubeadm.documents import init_documents, join_document
from providers.kubeadm.init import ca_hash, is_done, once
from providers.kubeadm.plan import MADE_BY
from providers.kubeadm.programs import BIN
from providers.kubeadm.site import Site, member

WHAT = "kubeadm join"
SECRETS = "/api/v1/namespaces/kube-system/secrets"
TOKENS = f"{SECRETS}?fieldSelector=type=bootstrap.kubernetes.io/token"
CERTIFICATES = "kubeadm-certs"
CLUSTER_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
_UPLOAD = 'cat | "$0" init phase upload-certs --upload-certs --config /dev/stdin >/dev/null'
LOOK_S = 0.2


def join_control_planes(site: Site) -> None:
    """Join every control plane but the first. Raises: StepError that holds the kubelet's last lines."""
    others = _undone(site, site.control_planes[1:])
    if not others:
        return
    _admit(site)
    documents = init_documents(site.plan, member(site.first.node), site.bootstrap).encode()
    site.run(site.first, "Share the certificates", "sh", "-c", _UPLOAD, f"{BIN}/kubeadm", stdin=documents)
    for marker in others:
        _join(site, marker)


def join_workers(site: Site) -> None:
    """Join every worker. All are waited for; raises ManyErrors or StepError that name each one that failed."""
    others = _undone(site, site.workers)
    if others:
        _admit(site)
        site.each(lambda marker: _join(site, marker), WHAT, others)


def close(site: Site) -> None:
    """Take back what let machines join, also what calls that were killed left."""
    with site.api() as api:
        for secret in (secret for page in api.pages(TOKENS) for secret in page):
            if _told(secret, "description") == MADE_BY:
                api.delete(f"{SECRETS}/{secret['metadata']['name']}")
        api.delete(f"{SECRETS}/{CERTIFICATES}")


def _told(secret: dict[str, Any], key: str) -> str:
    return base64.b64decode(secret.get("data", {}).get(key, "")).decode(errors="replace")


def _undone(site: Site, markers: Sequence[Marker]) -> list[Marker]:
    done = site.each(lambda marker: is_done(site, marker), WHAT, markers)
    return [marker for marker in markers if not done[marker.node.name]]


def _join(site: Site, marker: Marker) -> None:
    with site.api() as api:  # one of its name that a killed join left would be taken for another machine
        api.delete(f"/api/v1/nodes/{marker.node.name}")
    document = join_document(
        site.plan,
        member(marker.node),
        site.bootstrap,
        ca_hash=ca_hash(json.loads(site.kubeconfig.read_text(encoding="utf-8"))),
        is_control_plane=marker.node.role == "control-plane",
    )
    once(site, marker, WHAT, document, "join")


def _admit(site: Site) -> None:
    """Have the cluster know our token, and wait until what joining machines look for is signed with it.

    kubeadm asks for that every 5 s only.
    """
    token_id = site.bootstrap.token_id
    until = datetime.now(UTC) + timedelta(seconds=site.bootstrap.ttl_s)
    plain = {
        "description": MADE_BY,
        "token-id": token_id,
        "token-secret": site.bootstrap.token_secret,
        "expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
    }
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{token_id}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()},
    }

    def unsigned(api: Api) -> str:
        try:
            data = api.get(CLUSTER_INFO).get("data") or {}
        except ApiRefused as error:
            return str(error)
        return "" if f"jws-kubeconfig-{token_id}" in data else "cluster-info is not signed yet"

    with site.api() as api:
        create_missing(api, SECRETS, body)
        wait_until(WHAT, lambda: unsigned(api), site.ctx.deadline, every_s=LOOK_S)
