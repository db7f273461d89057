"""The gate of a cluster of strangers: what the suite's user may not do is named before the first case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from lightkube import Client
from lightkube.config.kubeconfig import KubeConfig
from lightkube.models.authentication_v1 import TokenRequestSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ServiceAccount, ServiceAccountToken

from e2e.lifecycle.permissions import check_permissions, needs
from tests.support.cluster import Running
from upload.errors import ProviderError


def test_administrator_passes(local_cluster: Running) -> None:
    check_permissions(local_cluster.cluster)


def test_user_without_rights_is_told_every_missing_one(local_cluster: Running, tmp_path: Path) -> None:
    admin = local_cluster.cluster.kubeconfig
    with Client(KubeConfig.from_file(admin).get(), trust_env=False) as client:
        client.create(ServiceAccount(metadata=ObjectMeta(name="nobody", namespace="default")))
        wanted = ServiceAccountToken(metadata=ObjectMeta(), spec=TokenRequestSpec(audiences=[]))
        made = client.create(wanted, "nobody", namespace="default")
    assert made.status
    document = yaml.safe_load(admin.read_text())
    document["users"][0]["user"] = {"token": made.status.token}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(document))
    cluster = replace(local_cluster.cluster, kubeconfig=tmp_path / "kubeconfig", allow=frozenset())

    with pytest.raises(ProviderError) as caught:
        check_permissions(cluster)
    assert str(caught.value).count(";") + 1 == len(needs(()))
    assert "create namespaces -A" in str(caught.value)
    assert "clusterroles" not in str(caught.value)
    assert caught.value.hint.startswith("kubectl --kubeconfig")
