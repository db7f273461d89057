from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.models.core_v1 import ObjectReference
from lightkube.models.events_v1 import EventSeries
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.resources.core_v1 import Event as CoreEvent
from lightkube.resources.events_v1 import Event
from lightkube.types import PatchType

from e2e.suite.controllers import meta, name_of
from e2e.suite.refusals import Refusal, refusal
from e2e.suite.workloads import pod

pytestmark = [pytest.mark.sig("instrumentation"), pytest.mark.needs("events.events.k8s.io")]

TIME = "2026-01-02T03:04:05.678901Z"
LATER = "2026-01-02T03:05:05.678901Z"


def event(namespace: str, name: str, **fields: Any) -> Event:
    """Return an event as a controller writes it, about an object that need not be there."""
    whole: dict[str, Any] = {
        "metadata": {"name": name, "namespace": namespace, "labels": {"e2e": "yes"}},
        "eventTime": TIME,
        "reportingController": "e2e.example.com/tester",
        "reportingInstance": "tester-0",
        "action": "Testing",
        "reason": "Tested",
        "type": "Normal",
        "note": "once",
        "regarding": {"apiVersion": "v1", "kind": "ConfigMap", "name": "about", "namespace": namespace},
        **fields,
    }
    made = Event.from_dict(whole)
    assert isinstance(made, Event)
    return made


def notes(client: Client, namespace: str) -> dict[str, str | None]:
    return {name_of(found): found.note for found in client.list(Event, namespace=namespace, labels={"e2e": "yes"})}


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed [Conformance]",
    "[sig-instrumentation] Events API should delete a collection of events [Conformance]",
)
@pytest.mark.needs("deletecollection events.events.k8s.io")
def test_events_api(client: Client, namespace: str) -> None:
    """Events API should create, list and delete events, and refuse one without a reporter or with other words."""
    for name in ("a", "b", "c"):
        client.create(event(namespace, name))
    client.delete(Event, "b", namespace=namespace)
    rewritten = refusal(lambda: client.patch(Event, "a", {"note": "twice"}, namespace=namespace))
    said = refusal(lambda: client.create(event(namespace, "d", reportingController="", action="")))
    listed = notes(client, namespace)
    client.deletecollection(Event, namespace=namespace)

    assert listed == {"a": "once", "c": "once"}
    assert (rewritten.code, rewritten.fields) == (422, ("message",))
    assert (said, set(said.fields)) == (
        Refusal(422, "Invalid", ""),
        {"action", "reportingController"},
    )
    assert notes(client, namespace) == {}


@pytest.mark.cite("docs/reference/kubernetes-api/cluster-resources/event-v1")
@pytest.mark.needs("get events")
def test_event_series(client: Client, namespace: str) -> None:
    """Events API should count a repeated event in its series, and show it to readers of the core API."""
    client.create(event(namespace, "a"))
    for count, at in ((2, TIME), (5, LATER)):
        series = EventSeries(count=count, lastObservedTime=at)  # type: ignore[arg-type]  # sent as text
        client.patch(Event, "a", {"series": series.to_dict()}, namespace=namespace, patch_type=PatchType.MERGE)
    found = client.get(Event, "a", namespace=namespace).to_dict()
    core = client.get(CoreEvent, "a", namespace=namespace).to_dict()

    assert found["series"]["count"] == 5
    assert core["series"]["count"] == 5
    assert (core["message"], core["reportingComponent"]) == ("once", "e2e.example.com/tester")
    assert (core["involvedObject"]["kind"], core["involvedObject"]["name"]) == ("ConfigMap", "about")


@pytest.mark.cite("[sig-instrumentation] Events should manage the lifecycle of an event [Conformance]")
@pytest.mark.needs("create configmaps", "create,list events")
def test_core_event_is_seen_in_the_new_api(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Events should be selected by the object they are about, in the core API and in the newer one."""
    about = client.create(ConfigMap(metadata=ObjectMeta(name="about")), namespace=namespace)
    uid = meta(about).uid
    regarding = ObjectReference(apiVersion="v1", kind="ConfigMap", name="about", namespace=namespace, uid=uid)
    metadata = ObjectMeta(name="a", namespace=namespace)
    client.create(
        CoreEvent(metadata=metadata, involvedObject=regarding, message="hello", reason="Said", type="Warning")
    )
    client.create(event(namespace, "b"))
    by_object = client.list(CoreEvent, namespace=namespace, fields={"involvedObject.uid": str(uid)})
    # not with the typed client: such an event has no eventTime, which the newer API demands of new ones
    path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    by_type = http.get(path, params={"fieldSelector": "type=Warning"}).json()["items"]

    assert [name_of(found) for found in by_object] == ["a"]
    assert [(found["metadata"]["name"], found["note"], found["reason"]) for found in by_type] == [
        ("a", "hello", "Said")
    ]


@pytest.mark.depends("kube-scheduler")
@pytest.mark.cite("docs/concepts/scheduling-eviction/kube-scheduler")
@pytest.mark.needs("create,get pods")
def test_scheduler_reports_what_it_did(
    client: Client, http: httpx2.Client, namespace: str, eventually: Callable[..., Any]
) -> None:
    """Events should tell that the scheduler placed one Pod, and why it could not place another."""
    client.create(pod("placed"), namespace=namespace)
    client.create(pod("homeless", nodeSelector={"no-such": "node"}), namespace=namespace)

    def reasons(name: str) -> list[tuple[str | None, str | None]]:
        # as plain JSON: the typed client refuses the kubelet's events, which have no eventTime
        asked = http.get(
            f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", params={"fieldSelector": f"regarding.name={name}"}
        )
        told = [(e.get("reason"), e.get("reportingController")) for e in asked.json()["items"]]
        return [each for each in told if each[1] == "default-scheduler"]

    eventually(lambda: reasons("placed"), until=lambda found: found == [("Scheduled", "default-scheduler")])
    # it tries again, and says so again, whenever a node of another test comes or goes
    eventually(lambda: set(reasons("homeless")), until=lambda f: f == {("FailedScheduling", "default-scheduler")})
    assert client.get(Pod, "homeless", namespace=namespace).spec.nodeName is None  # type: ignore[union-attr]
