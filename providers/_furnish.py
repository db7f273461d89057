"""Turns a control plane that answers into a cluster: hollow nodes, a kubeconfig of its own, proof that it is usable."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from providers._control_plane import ControlPlane
from providers._gates import READY
from providers._hollow import node_names, nodes
from providers._kubeconfig import keep_secrets
from providers._private import write_private
from providers._usable import Look, create_missing, nodes_missing, service_account_missing, wait_until
from providers.api import Api
from providers.contracts import Cluster, ClusterSpec, Context
from providers.kwok import Home, Plan
from upload.errors import ProviderError

STEP = "Wait until usable"
MANAGER = "kube-controller-manager"


def furnish(control_plane: ControlPlane, plan: Plan, home: Home, spec: ClusterSpec, ctx: Context) -> Cluster:
    """Return the facts of the cluster once its nodes are Ready and namespaces get their service account.

    ``features`` stay empty: they are the provider's to name. Raises: StepError; PortTaken.
    """
    names = node_names(ctx.cluster, spec.nodes)
    kubeconfig = write_kubeconfig(home, ctx)
    with Api(kubeconfig) as api:
        version = str(api.get("/version")["gitVersion"])
        with ctx.steps.step("Add nodes"):
            for node in nodes(ctx.cluster, spec.nodes, pod_cidr=spec.pod_cidr, version=version):
                _keep_trying("Add nodes", partial(create_missing, api, "/api/v1/nodes", node), control_plane, ctx)
        with ctx.steps.step(STEP):
            for look in _looks(api, plan, names, control_plane):
                _keep_trying(STEP, look, control_plane, ctx)
    return Cluster(
        name=ctx.cluster, kubeconfig=kubeconfig, version=version, nodes=names, kubectl=plan.programs["kubectl"]
    )


def _keep_trying(step: str, look: Look, control_plane: ControlPlane, ctx: Context) -> None:
    wait_until(step, look, ctx.deadline, check=control_plane.check)


def _looks(api: Api, plan: Plan, names: tuple[str, ...], control_plane: ControlPlane) -> Iterator[Look]:
    """Yield what to wait for, one after the other: what the components that run can bring about.

    A config may have switched some of them off.
    """
    managed = MANAGER in plan.components
    off = plan.args.get(MANAGER, {}).get("controllers", "")
    probe = f"e2e-probe-{secrets.token_hex(4)}"
    if with_accounts := managed and "-serviceaccount" not in off:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": probe}}
        yield partial(create_missing, api, "/api/v1/namespaces", body)
    yield lambda: "" if api.text("/readyz") == "ok" else "not ready"
    control_plane.let_go(READY)
    if "kwok-controller" in plan.components:
        removed = managed and "-node-lifecycle" not in off and "-nodelifecycle" not in off
        yield partial(nodes_missing, api, names, taints_removed=removed)
    if with_accounts:
        yield partial(service_account_missing, api, probe)
        api.delete(f"/api/v1/namespaces/{probe}")  # nobody waits until it is gone


def write_kubeconfig(home: Home, ctx: Context) -> Path:
    """Write the administrator's kubeconfig with everything inside it, mode 0600, and return its path.

    Its key joins the run's secrets.
    """
    try:
        authority, certificate, key = ((home.pki / name).read_bytes() for name in ("ca.crt", "admin.crt", "admin.key"))
        server = _server(home)
    except (OSError, KeyError, IndexError, TypeError, ValueError) as exc:
        raise ProviderError(f"kwokctl left no usable keys in {home.cluster}: {exc}") from exc
    name = f"{ctx.run}-{ctx.cluster}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": _text(authority)}}],
        "users": [
            {"name": name, "user": {"client-certificate-data": _text(certificate), "client-key-data": _text(key)}}
        ],
    }
    path = write_private(home.private_kubeconfig, document)
    keep_secrets(path, ctx.keep_secret)
    return path


def _server(home: Home) -> str:
    import yaml

    return str(yaml.safe_load(home.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])


def _text(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
