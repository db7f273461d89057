from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.apps_v1 import DeploymentStrategy
from lightkube.models.core_v1 import Container, Lifecycle, LifecycleHandler, SleepAction
from lightkube.resources.apps_v1 import Deployment, ReplicaSet
from lightkube.resources.core_v1 import Pod

from e2e.suite.controllers import GATE, REVISION, conditions, deployment, meta, name_of, owner_of, pods_of
from e2e.suite.workloads import IMAGE

pytestmark = [
    pytest.mark.sig("apps"),
    pytest.mark.needs("deployments.apps", "get,list replicasets.apps", "pods"),
    pytest.mark.depends("deployment-controller"),
]
rolls = pytest.mark.depends("replicaset-controller", "kube-scheduler")

Eventually = Callable[..., Any]


def rolled_out(found: Deployment) -> bool:
    """Say whether every replica is of the newest template and available, and the controller has seen that template."""
    assert found.spec
    assert found.status
    status, wanted = found.status, found.spec.replicas
    return status.observedGeneration == meta(found).generation and (
        (status.updatedReplicas, status.replicas, status.availableReplicas) == (wanted, wanted, wanted)
    )


def revisions(client: Client, namespace: str) -> dict[str, int | None]:
    """Return the replicas of each revision of the only Deployment in a namespace."""
    found = client.list(ReplicaSet, namespace=namespace)
    return {(meta(rs).annotations or {})[REVISION]: rs.spec.replicas for rs in found if rs.spec}


@pytest.fixture
def running(client: Client, namespace: str, eventually: Eventually) -> Deployment:
    """Return a Deployment of two replicas that is rolled out."""
    client.create(deployment("web", replicas=2), namespace=namespace)
    found = eventually(lambda: client.get(Deployment, "web", namespace=namespace), until=rolled_out)
    assert isinstance(found, Deployment)
    return found


@rolls
@pytest.mark.cite("[sig-apps] Deployment should run the lifecycle of a Deployment [Conformance]")
def test_deployment_runs_its_replicas(client: Client, namespace: str, running: Deployment) -> None:
    """Deployment should run its replicas through one ReplicaSet that it owns."""
    sets = list(client.list(ReplicaSet, namespace=namespace))
    owners = {owner_of(pod) for pod in pods_of(client, namespace, "web")}

    assert [owner_of(rs) for rs in sets] == [("Deployment", "web")]
    assert owners == {("ReplicaSet", name_of(sets[0]))}
    assert {kind: status for kind, (status, _) in conditions(running).items()} == {
        "Available": "True",
        "Progressing": "True",
    }


@rolls
@pytest.mark.cite(
    "[sig-apps] Deployment RollingUpdateDeployment should delete old pods and create new ones [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.usefixtures("running")
def test_new_template_replaces_old_pods(client: Client, namespace: str, eventually: Eventually) -> None:
    """Deployment should replace its pods when its template changes and keep the old ReplicaSet at zero."""
    old = {name_of(pod) for pod in pods_of(client, namespace, "web")}
    change = {"spec": {"template": {"metadata": {"annotations": {"e2e.test/version": "2"}}}}}
    client.patch(Deployment, "web", change, namespace=namespace)

    eventually(lambda: client.get(Deployment, "web", namespace=namespace), until=rolled_out)
    assert revisions(client, namespace) == {"1": 0, "2": 2}
    eventually(lambda: old & {name_of(p) for p in pods_of(client, namespace, "web")}, until=lambda left: not left)


@rolls
@pytest.mark.cite("[sig-apps] Deployment deployment should support rollover [Conformance]")
@pytest.mark.conformance
@pytest.mark.usefixtures("running")
def test_rollover_during_a_roll_out(client: Client, namespace: str, eventually: Eventually) -> None:
    """Deployment should roll over to a newer template while an older roll-out is stuck."""
    stuck = {"spec": {"template": {"spec": {"schedulingGates": [GATE]}}}}
    client.patch(Deployment, "web", stuck, namespace=namespace)
    eventually(lambda: revisions(client, namespace), until=lambda found: found.get("2"))
    assert client.get(Deployment, "web", namespace=namespace).status.availableReplicas  # type: ignore[union-attr]  # it ran
    free = {"spec": {"template": {"spec": {"schedulingGates": None}, "metadata": {"annotations": {"v": "3"}}}}}
    client.patch(Deployment, "web", free, namespace=namespace)

    eventually(lambda: client.get(Deployment, "web", namespace=namespace), until=rolled_out)
    assert revisions(client, namespace) == {"1": 0, "2": 0, "3": 2}


@rolls
@pytest.mark.cite("docs/concepts/workloads/controllers/deployment#rolling-back-a-deployment")
@pytest.mark.usefixtures("running")
def test_roll_back_reuses_the_old_replica_set(client: Client, namespace: str, eventually: Eventually) -> None:
    """Deployment should roll back to an earlier template by the ReplicaSet that it kept."""
    (first,) = (name_of(rs) for rs in client.list(ReplicaSet, namespace=namespace))
    change: dict[str, Any] = {"spec": {"template": {"metadata": {"annotations": {"e2e.test/version": "2"}}}}}
    client.patch(Deployment, "web", change, namespace=namespace)
    eventually(lambda: client.get(Deployment, "web", namespace=namespace), until=rolled_out)
    change["spec"]["template"]["metadata"]["annotations"]["e2e.test/version"] = None
    client.patch(Deployment, "web", change, namespace=namespace)

    eventually(lambda: client.get(Deployment, "web", namespace=namespace), until=rolled_out)
    back = client.get(ReplicaSet, first, namespace=namespace)
    assert (meta(back).annotations or {})[REVISION] == "3"
    assert revisions(client, namespace) == {"2": 0, "3": 2}


@rolls
@pytest.mark.cite("docs/concepts/workloads/controllers/deployment#pausing-and-resuming-a-deployment")
@pytest.mark.usefixtures("running")
def test_paused_deployment_waits(client: Client, namespace: str, eventually: Eventually) -> None:
    """Deployment should not roll out a new template while it is paused, and should when it is resumed."""
    change = {"spec": {"paused": True, "template": {"metadata": {"annotations": {"e2e.test/version": "2"}}}}}
    paused = client.patch(Deployment, "web", change, namespace=namespace)
    eventually(
        lambda: client.get(Deployment, "web", namespace=namespace),
        until=lambda found: found.status.observedGeneration == meta(paused).generation,
    )
    assert revisions(client, namespace) == {"1": 2}
    client.patch(Deployment, "web", {"spec": {"paused": False}}, namespace=namespace)

    eventually(lambda: client.get(Deployment, "web", namespace=namespace), until=rolled_out)
    assert revisions(client, namespace) == {"1": 0, "2": 2}


@rolls
@pytest.mark.cite("[sig-apps] Deployment Deployment should have a working scale subresource [Conformance]")
@pytest.mark.conformance
@pytest.mark.usefixtures("running")
@pytest.mark.needs("get,patch deployments.apps/scale")
def test_scale_subresource(client: Client, namespace: str, eventually: Eventually) -> None:
    """Deployment should follow its scale subresource up and down."""
    for replicas in (4, 1):
        client.patch(Deployment.Scale, "web", {"spec": {"replicas": replicas}}, namespace=namespace)
        eventually(lambda: client.get(Deployment, "web", namespace=namespace), until=rolled_out)
        scale = client.get(Deployment.Scale, "web", namespace=namespace)

        assert (scale.spec.replicas, scale.status.replicas, scale.status.selector) == (replicas, replicas, "app=web")  # type: ignore[union-attr]  # eventually saw it
        eventually(lambda: len(pods_of(client, namespace, "web")), until=lambda count, wanted=replicas: count == wanted)


@rolls
@pytest.mark.cite("[sig-apps] Deployment RecreateDeployment should delete old pods and create new ones [Conformance]")
@pytest.mark.conformance
def test_recreate_never_mixes_templates(
    client: Client, namespace: str, eventually: Eventually, consistently: Eventually
) -> None:
    """Deployment with strategy Recreate should create new pods only when the old ones are gone."""
    # a pod whose containers have ended is gone for the controller: on real nodes these take a while, on hollow ones the
    # finalizer holds them
    slowly = Container(name="main", image=IMAGE, lifecycle=Lifecycle(preStop=LifecycleHandler(sleep=SleepAction(10))))
    lasting = {"containers": [slowly], "terminationGracePeriodSeconds": 20}
    client.create(
        deployment("web", replicas=2, strategy=DeploymentStrategy(type="Recreate"), pod=lasting), namespace=namespace
    )
    eventually(lambda: client.get(Deployment, "web", namespace=namespace), until=rolled_out)
    old = pods_of(client, namespace, "web")
    for pod in old:
        client.patch(Pod, name_of(pod), {"metadata": {"finalizers": ["e2e.test/hold"]}}, namespace=namespace)
    change = {"spec": {"template": {"metadata": {"annotations": {"e2e.test/version": "2"}}}}}
    client.patch(Deployment, "web", change, namespace=namespace)

    eventually(
        lambda: pods_of(client, namespace, "web"), until=lambda left: not left, what="old pods are being deleted"
    )
    consistently(lambda: revisions(client, namespace), until=lambda found: found == {"1": 0}, for_s=1)
    for pod in old:
        client.patch(Pod, name_of(pod), {"metadata": {"finalizers": None}}, namespace=namespace)
    eventually(lambda: client.get(Deployment, "web", namespace=namespace), until=rolled_out)
    assert revisions(client, namespace) == {"1": 0, "2": 2}


@pytest.mark.cite("docs/concepts/workloads/controllers/deployment#failed-deployment")
def test_stuck_roll_out_is_reported(client: Client, namespace: str, eventually: Eventually) -> None:
    """Deployment should report that it makes no progress once its progress deadline has passed."""
    stuck = deployment("web", progressDeadlineSeconds=1, pod={"schedulingGates": [GATE]})
    client.create(stuck, namespace=namespace)

    found = eventually(
        lambda: conditions(client.get(Deployment, "web", namespace=namespace)),
        until=lambda seen: seen["Progressing"][1] == "ProgressDeadlineExceeded",
    )
    assert found == {
        "Available": ("False", "MinimumReplicasUnavailable"),
        "Progressing": ("False", "ProgressDeadlineExceeded"),
    }
