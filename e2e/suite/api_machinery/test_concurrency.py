from __future__ import annotations

import httpx2
import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap

from e2e.suite.controllers import meta, name_of
from e2e.suite.refusals import Refusal, refusal

pytestmark = [pytest.mark.sig("api-machinery"), pytest.mark.needs("configmaps")]

CONFLICT = Refusal(409, "Conflict", "")


@pytest.mark.cite("docs/reference/using-api/api-concepts#resource-versions")
@pytest.mark.needs("update configmaps")
def test_stale_update_is_refused(client: Client, namespace: str) -> None:
    """Update with a stale resource version should be refused and change nothing."""
    first = client.create(ConfigMap(metadata=ObjectMeta(name="a"), data={"n": "1"}), namespace=namespace)
    second = client.get(ConfigMap, "a", namespace=namespace)
    second.data = {"n": "2"}
    client.replace(second)
    first.data = {"n": "3"}

    assert refusal(lambda: client.replace(first)) == CONFLICT
    assert client.get(ConfigMap, "a", namespace=namespace).data == {"n": "2"}


@pytest.mark.cite("docs/reference/using-api/api-concepts#patch-and-apply")
def test_patches_of_different_fields_add_up(client: Client, namespace: str) -> None:
    """Merge patches of different fields should add up without a resource version, and be refused with a stale one."""
    first = client.create(ConfigMap(metadata=ObjectMeta(name="a"), data={"n": "1"}), namespace=namespace)
    client.patch(ConfigMap, "a", {"data": {"left": "L"}}, namespace=namespace)
    client.patch(ConfigMap, "a", {"data": {"right": "R", "n": None}}, namespace=namespace)
    stale = {"metadata": {"resourceVersion": meta(first).resourceVersion}, "data": {"late": "x"}}

    assert refusal(lambda: client.patch(ConfigMap, "a", stale, namespace=namespace)) == CONFLICT
    assert client.get(ConfigMap, "a", namespace=namespace).data == {"left": "L", "right": "R"}


@pytest.mark.cite("docs/reference/kubernetes-api/common-definitions/delete-options#preconditions")
def test_delete_checks_preconditions(client: Client, http: httpx2.Client, namespace: str) -> None:
    """Delete with preconditions should remove only the object and the version that were meant."""
    first = client.create(ConfigMap(metadata=ObjectMeta(name="a"), data={"n": "1"}), namespace=namespace)
    now = client.patch(ConfigMap, "a", {"data": {"n": "2"}}, namespace=namespace)

    def delete(**preconditions: str | None) -> int:
        url = f"/api/v1/namespaces/{namespace}/configmaps/a"
        return http.request("DELETE", url, json={"preconditions": preconditions}).status_code

    assert delete(uid="0000", resourceVersion=meta(now).resourceVersion) == 409
    assert delete(uid=meta(now).uid, resourceVersion=meta(first).resourceVersion) == 409
    assert client.get(ConfigMap, "a", namespace=namespace).data == {"n": "2"}
    assert delete(uid=meta(now).uid, resourceVersion=meta(now).resourceVersion) == 200
    assert refusal(lambda: client.get(ConfigMap, "a", namespace=namespace)) == Refusal(404, "NotFound", "")


@pytest.mark.cite("docs/reference/using-api/api-concepts#dry-run")
def test_dry_run_admits_and_stores_nothing(client: Client, namespace: str) -> None:
    """Dry run should answer with defaults and refusals as a real request does, and store nothing."""
    made = client.create(ConfigMap(metadata=ObjectMeta(generateName="a-")), namespace=namespace, dry_run=True)
    wrong = ConfigMap(metadata=ObjectMeta(name="Not a name"))
    client.create(ConfigMap(metadata=ObjectMeta(name="b"), data={"n": "1"}), namespace=namespace)
    client.patch(ConfigMap, "b", {"data": {"n": "2"}}, namespace=namespace, dry_run=True)
    client.delete(ConfigMap, "b", namespace=namespace, dry_run=True)

    assert meta(made).uid
    assert refusal(lambda: client.create(wrong, namespace=namespace, dry_run=True)).fields == ("metadata.name",)
    assert client.get(ConfigMap, "b", namespace=namespace).data == {"n": "1"}
    assert refusal(lambda: client.get(ConfigMap, name_of(made), namespace=namespace)).code == 404
