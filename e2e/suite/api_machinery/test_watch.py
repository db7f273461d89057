from __future__ import annotations

import httpx2
import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap

from e2e.suite.controllers import meta
from e2e.suite.watching import Event, watch

pytestmark = [pytest.mark.sig("api-machinery"), pytest.mark.needs("configmaps", "watch configmaps")]


def config_map(name: str, step: int, **labels: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, labels={"watched": "yes", **labels}), data={"step": str(step)})


def path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def steps(events: list[Event]) -> list[tuple[str, str, str]]:
    """Return what a watcher sees as (type, name, step)."""
    return [(kind, obj["metadata"]["name"], obj["data"]["step"]) for kind, obj in events]


def make_history(client: Client, namespace: str) -> str:
    """Create, change and delete; return the resource version from before."""
    before = client.create(config_map("before", 0), namespace=namespace)
    client.create(config_map("a", 1), namespace=namespace)
    client.create(config_map("b", 1), namespace=namespace)
    client.patch(ConfigMap, "a", {"data": {"step": "2"}}, namespace=namespace)
    client.delete(ConfigMap, "b", namespace=namespace)
    client.patch(ConfigMap, "a", {"data": {"step": "3"}}, namespace=namespace)
    return str(meta(before).resourceVersion)


HISTORY = [
    ("ADDED", "a", "1"),
    ("ADDED", "b", "1"),
    ("MODIFIED", "a", "2"),
    ("DELETED", "b", "1"),
    ("MODIFIED", "a", "3"),
]


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps [Conformance]",
    "[sig-api-machinery] Watchers should be able to start watching from a specific resource version [Conformance]",
)
def test_watch_sees_every_change(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Watchers should observe add, update and delete notifications from a resource version on, in order."""
    since = make_history(client, namespace)
    events = watch(
        http, path(namespace), until=lambda seen: len(seen) == 5, resourceVersion=since, labelSelector="watched=yes"
    )

    assert steps(events) == HISTORY


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the "
    "previous watch [Conformance]"
)
def test_watch_continues_after_a_break(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Watchers should be able to restart from the last resource version of a broken watch without a gap."""
    since = make_history(client, namespace)
    first = watch(
        http, path(namespace), until=lambda seen: len(seen) == 2, resourceVersion=since, labelSelector="watched=yes"
    )
    client.patch(ConfigMap, "a", {"data": {"step": "4"}}, namespace=namespace)
    last = first[-1][1]["metadata"]["resourceVersion"]
    rest = watch(
        http, path(namespace), until=lambda seen: len(seen) == 4, resourceVersion=last, labelSelector="watched=yes"
    )

    assert steps([*first, *rest]) == [*HISTORY, ("MODIFIED", "a", "4")]


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the "
    "selector [Conformance]"
)
def test_watch_with_selector_sees_objects_leave(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Watchers should observe a deletion when an object stops matching the selector, and an addition when it does again."""
    made = client.create(config_map("a", 1, tier="front"), namespace=namespace)
    client.patch(ConfigMap, "a", {"metadata": {"labels": {"tier": "back"}}, "data": {"step": "2"}}, namespace=namespace)
    client.patch(ConfigMap, "a", {"data": {"step": "3"}}, namespace=namespace)
    client.patch(ConfigMap, "a", {"metadata": {"labels": {"tier": "front"}}}, namespace=namespace)
    events = watch(
        http,
        path(namespace),
        until=lambda seen: len(seen) == 2,
        resourceVersion=str(meta(made).resourceVersion),
        labelSelector="tier=front",
    )

    # the deletion shows the last state that matched
    assert steps(events) == [("DELETED", "a", "1"), ("ADDED", "a", "3")]


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] Watchers should receive events on concurrent watches in same order [Conformance]"
)
def test_watchers_agree_on_the_order(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Watchers should receive events in the same order, wherever in the history each of them starts."""
    first = client.create(config_map("start", 0), namespace=namespace)
    for step in range(8):
        client.create(config_map(f"c{step}", step), namespace=namespace)
    client.create(config_map("end", 0), namespace=namespace)

    def versions_since(version: str) -> list[str]:
        events = watch(
            http,
            path(namespace),
            until=lambda seen: seen[-1][1]["metadata"]["name"] == "end",
            resourceVersion=version,
            labelSelector="watched=yes",
        )
        return [obj["metadata"]["resourceVersion"] for _, obj in events]

    all_versions = versions_since(str(meta(first).resourceVersion))

    assert len(all_versions) == 9
    assert [versions_since(v) for v in all_versions[:-1]] == [all_versions[n:] for n in range(1, 9)]


@pytest.mark.cite("docs/reference/using-api/api-concepts#streaming-lists")
def test_watch_list_ends_the_initial_state_with_a_bookmark(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Streaming list should send the initial state, a bookmark that ends it, and then changes."""
    client.create(config_map("a", 1), namespace=namespace)
    client.create(config_map("b", 1), namespace=namespace)
    changed = False

    def change_after_bookmark(seen: list[Event]) -> bool:
        nonlocal changed
        if seen[-1][0] == "BOOKMARK" and not changed:
            changed = True
            client.patch(ConfigMap, "a", {"data": {"step": "2"}}, namespace=namespace)
        return seen[-1][0] == "MODIFIED"

    events = watch(
        http,
        path(namespace),
        until=change_after_bookmark,
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
        labelSelector="watched=yes",
    )
    bookmark = events[2][1]["metadata"]
    # a watch that lives for a minute gets bookmarks of its own
    changes = [event for event in events if event[0] != "BOOKMARK"]

    assert [kind for kind, _ in events[:3]] == ["ADDED", "ADDED", "BOOKMARK"]
    assert steps(changes) == [("ADDED", "a", "1"), ("ADDED", "b", "1"), ("MODIFIED", "a", "2")]
    assert bookmark["annotations"] == {"k8s.io/initial-events-end": "true"}
