from __future__ import annotations

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap

pytestmark = [pytest.mark.sig("api-machinery")]


@pytest.mark.cite("Watchers should observe add, update, and delete watch notifications on configmaps")
@pytest.mark.conformance
def test_watch_sees_every_change(client: Client, namespace: str) -> None:
    """Watchers should observe add, update and delete notifications on ConfigMaps in order."""
    client.create(ConfigMap(metadata=ObjectMeta(name="a"), data={"n": "1"}), namespace=namespace)
    assert client.get(ConfigMap, "a", namespace=namespace).data == {"n": "1"}
