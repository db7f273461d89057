"""Waits until the cluster can be used: nodes, CoreDNS, kube-proxy, and a pod that answers on every node."""

from __future__ import annotations

from functools import partial
from typing import Any

from providers._usable import nodes_missing, service_account_missing, wait_until
from providers.api import Api
from providers.contracts import RUN_LABEL, run_label
from providers.kubeadm.init import kubelet_log
from providers.kubeadm.runtime import images
from providers.kubeadm.site import Site
from providers.releases.images import component
from upload.errors import StepError

WHAT = "Wait until ready"
NAMESPACES = "/api/v1/namespaces"
HEALTH_PORT = 8080
KUBELETS_S = 60.0
SYSTEM = {
    "CoreDNS": "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
    "kube-proxy": "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
}
# CoreDNS serves /health from the first moment: the one image that answers and that every node has anyway
COREFILE = f".:5353 {{\n    health :{HEALTH_PORT}\n}}\n"


def wait(site: Site) -> None:
    """Return when every node is Ready and runs a pod that answers through the API server.

    Raises: StepError with what is missing, and the last lines of the kubelet of each node that is not Ready.
    """
    names = [marker.node.name for marker in site.markers.values()]
    with site.api() as api:
        try:
            wait_until("Nodes ready", lambda: nodes_missing(api, names), site.ctx.deadline)
        except StepError as error:
            raise _with_logs(site, error) from error
        # a unit of the machine's own may start another one; after an upgrade it takes a moment
        bounded = site.ctx.deadline.at_most(KUBELETS_S, "the version of the kubelets")
        wait_until("Kubelets", lambda: _other_kubelets(api, site.supplies.kubelet.version), bounded)
        for what, path in SYSTEM.items():
            wait_until(f"{what} ready", partial(_unavailable, api, path), site.ctx.deadline)
        coredns = next(name for name in images(site) if component(name) == "coredns")
        # a name of its own: that of a call before may still be on its way out
        namespace = f"e2e-ready-{site.bootstrap.token_id}"
        api.post(NAMESPACES, _namespace(namespace, site))
        try:
            _pods_answer(site, api, namespace, coredns)
        finally:
            api.delete(f"{NAMESPACES}/{namespace}")


def _pods_answer(site: Site, api: Api, namespace: str, image: str) -> None:
    deadline, within = site.ctx.deadline, f"{NAMESPACES}/{namespace}"
    wait_until("Pods", lambda: service_account_missing(api, namespace), deadline)
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "answer", "namespace": namespace},
        "data": {"Corefile": COREFILE},
    }
    api.post(f"{within}/configmaps", config)
    for name in site.markers:
        api.post(f"{within}/pods", _pod(name, namespace, image))
    for name in site.markers:
        wait_until(f"A pod on {name}", partial(_silent, api, f"{within}/pods", _pod_name(name)), deadline)


def _silent(api: Api, pods: str, name: str) -> str:
    """Say that a pod does not answer yet, and in which state it is; empty when it answers."""
    pod = api.get(f"{pods}/{name}")
    if pod.get("status", {}).get("phase") != "Running":
        return f"the pod is {pod.get('status', {}).get('phase', 'unknown')}{_reason(pod)}"
    api.text(f"{pods}/http:{name}:{HEALTH_PORT}/proxy/health")
    return ""


def _reason(pod: dict[str, Any]) -> str:
    for status in pod.get("status", {}).get("containerStatuses") or []:
        waiting = status.get("state", {}).get("waiting") or {}
        if waiting.get("reason"):
            return f" ({waiting['reason']}: {waiting.get('message', '')[:200]})"
    return ""


def _unavailable(api: Api, path: str) -> str:
    """Say which part of a Deployment or a DaemonSet does not run yet; empty when all do."""
    workload = api.get(path)
    status = workload.get("status", {})
    if "desiredNumberScheduled" in status:
        wanted, there = status["desiredNumberScheduled"], status.get("numberReady", 0)
    else:
        wanted, there = workload.get("spec", {}).get("replicas", 1), status.get("readyReplicas", 0)
    return "" if 0 < wanted <= there else f"{there} of {wanted} are ready"


def _other_kubelets(api: Api, version: str) -> str:
    """Name the nodes whose kubelet is not of this version; empty when there is none."""
    nodes = [node for page in api.pages("/api/v1/nodes") for node in page]
    told = {node["metadata"]["name"]: node["status"].get("nodeInfo", {}).get("kubeletVersion", "") for node in nodes}
    return ", ".join(f"{name} runs {found}, not {version}" for name, found in told.items() if found != version)


def _with_logs(site: Site, error: StepError) -> StepError:
    """Return the error with the last lines of the kubelets of the nodes that it names."""
    late = [marker for name, marker in site.markers.items() if f"{name} " in str(error)]
    logs = site.each(lambda marker: kubelet_log(site, marker), "reading logs", late)
    tail = "\n".join(f"--- kubelet on {name}:\n{log}" for name, log in logs.items())
    return StepError(error.step, str(error).removeprefix(f"{error.step}: "), output_tail=tail)


def _namespace(name: str, site: Site) -> dict[str, Any]:
    labels = {RUN_LABEL: run_label(site.ctx.run)}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _pod_name(node: str) -> str:
    return f"answers-{node}"


def _pod(node: str, namespace: str, image: str) -> dict[str, Any]:
    container = {
        "name": "answer",
        "image": image,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _pod_name(node), "namespace": namespace},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
            "volumes": [{"name": "config", "configMap": {"name": "answer"}}],
        },
    }
