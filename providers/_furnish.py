"""Turns a control plane that answers into a cluster: hollow nodes, a kubeconfig of its own, proof that it is usable."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from providers._hollow import node_names, nodes
from providers._usable import CONFLICT, nodes_missing, wait_for_service_account, wait_until
from providers.api import Api, ApiRefused
from providers.contracts import Cluster, ClusterSpec, Context
from providers.kwok import Home, Plan
from upload.errors import ProviderError

KUBECONFIG = "kubeconfig"
RUN_LABEL = "e2e-run"
STEP = "Wait until usable"
MANAGER = "kube-controller-manager"


def furnish(plan: Plan, home: Home, spec: ClusterSpec, ctx: Context, *, features: frozenset[str]) -> Cluster:
    """Return the facts of the cluster once its nodes are Ready and namespaces get their service account."""
    names = node_names(ctx.cluster, spec.nodes)
    kubeconfig = write_kubeconfig(home, ctx)
    with Api(kubeconfig) as api:
        version = str(api.get("/version")["gitVersion"])
        with ctx.steps.step("Add nodes"):
            for node in nodes(ctx.cluster, spec.nodes, pod_cidr=spec.pod_cidr, version=version):
                _create(api, node)
        with ctx.steps.step(STEP):
            _wait(api, plan, names, ctx)
    return Cluster(
        name=ctx.cluster,
        kubeconfig=kubeconfig,
        version=version,
        nodes=names,
        features=features,
        kubectl=plan.programs["kubectl"],
    )


def _create(api: Api, node: dict[str, Any]) -> None:
    try:
        api.post("/api/v1/nodes", node)
    except ApiRefused as error:
        if error.status != CONFLICT:  # a killed call has made it already
            raise


def _wait(api: Api, plan: Plan, names: tuple[str, ...], ctx: Context) -> None:
    """Wait for what the components that run can bring about; a config may have switched some of them off."""
    managed = MANAGER in plan.components
    off = plan.args.get(MANAGER, {}).get("controllers", "")
    if managed and "-serviceaccount" not in off:
        wait_for_service_account(STEP, api, ctx.deadline, labels={RUN_LABEL: ctx.run})
    if "kwok-controller" in plan.components:
        removed = managed and "-node-lifecycle" not in off and "-nodelifecycle" not in off
        wait_until(STEP, lambda: nodes_missing(api, names, taints_removed=removed), ctx.deadline)


def write_kubeconfig(home: Home, ctx: Context) -> Path:
    """Write the administrator's kubeconfig with everything inside it, mode 0600, and return its path.

    Its key joins the run's secrets.
    """
    try:
        authority, certificate, key = ((home.pki / name).read_bytes() for name in ("ca.crt", "admin.crt", "admin.key"))
        server = _server(home)
    except (OSError, KeyError, IndexError, TypeError, ValueError) as exc:
        raise ProviderError(f"kwokctl left no usable keys in {home.cluster}: {exc}") from exc
    ctx.keep_secret(key.decode())
    ctx.keep_secret(base64.b64encode(key).decode())
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
    return write_private(home.folder / KUBECONFIG, json.dumps(document, indent=1))


def _server(home: Home) -> str:
    import yaml

    return str(yaml.safe_load(home.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])


def _text(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner may read, whole or not at all, and return its path."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        part.replace(path)
    except OSError as exc:
        raise ProviderError(f"{path} cannot be written: {exc}") from exc
    return path
