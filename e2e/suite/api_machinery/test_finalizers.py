from __future__ import annotations

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap
from lightkube.types import PatchType

from e2e.suite.controllers import meta
from e2e.suite.refusals import Refusal, refusal

pytestmark = [pytest.mark.sig("api-machinery"), pytest.mark.needs("configmaps")]

ONE, TWO = "e2e.example.com/one", "e2e.example.com/two"


@pytest.mark.cite("docs/concepts/overview/working-with-objects/finalizers")
def test_object_stays_until_its_last_finalizer_is_removed(client: Client, namespace: str) -> None:
    """Finalizers should keep a deleted object until the last of them is removed, and allow no new one."""
    client.create(ConfigMap(metadata=ObjectMeta(name="a", finalizers=[ONE, TWO])), namespace=namespace)

    def set_finalizers(*finalizers: str) -> ConfigMap:
        # a merge patch replaces the list; the default one would merge into it
        wanted = {"metadata": {"finalizers": list(finalizers)}}
        return client.patch(ConfigMap, "a", wanted, namespace=namespace, patch_type=PatchType.MERGE)

    client.delete(ConfigMap, "a", namespace=namespace)
    waiting = client.get(ConfigMap, "a", namespace=namespace)
    client.delete(ConfigMap, "a", namespace=namespace)
    added = refusal(lambda: set_finalizers(ONE, TWO, "e2e.example.com/three"))
    remaining = set_finalizers(TWO)
    set_finalizers()

    assert (meta(waiting).finalizers, meta(waiting).deletionGracePeriodSeconds) == ([ONE, TWO], 0)
    assert meta(waiting).deletionTimestamp is not None
    assert (added, set(added.fields)) == (Refusal(422, "Invalid", ""), {"metadata.finalizers"})
    assert meta(remaining).finalizers == [TWO]
    assert meta(remaining).deletionTimestamp == meta(waiting).deletionTimestamp
    assert refusal(lambda: client.get(ConfigMap, "a", namespace=namespace)) == Refusal(404, "NotFound", "")
