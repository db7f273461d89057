from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, ServiceAccount

from e2e.suite.workloads import pod

pytestmark = pytest.mark.sig("auth")

ROOT_CA = "kube-root-ca.crt"


@pytest.mark.conformance
@pytest.mark.depends("root-ca-certificate-publisher-controller")
@pytest.mark.cite("[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace [Conformance]")
@pytest.mark.needs("delete,get,patch configmaps")
def test_root_certificate_is_in_every_namespace(client: Client, namespace: str, eventually: Callable[..., Any]) -> None:
    """ServiceAccounts should find kube-root-ca.crt in any namespace, again after it was deleted or changed."""

    def certificate() -> dict[str, str] | None:
        return client.get(ConfigMap, ROOT_CA, namespace=namespace).data

    published = eventually(certificate)
    client.delete(ConfigMap, ROOT_CA, namespace=namespace)
    eventually(certificate, until=lambda found: found == published)
    client.patch(ConfigMap, ROOT_CA, {"data": {"ca.crt": "changed"}}, namespace=namespace)

    assert published["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")
    eventually(certificate, until=lambda found: found == published)


@pytest.mark.conformance
@pytest.mark.cite("[sig-auth] ServiceAccounts should allow opting out of API token automount [Conformance]")
@pytest.mark.needs("create pods", "create serviceaccounts")
def test_token_automount(client: Client, namespace: str) -> None:
    """ServiceAccounts should mount an API token into Pods unless the Pod, or else the account, opts out."""
    for name, mounts in (("default-on", None), ("on", True), ("off", False)):
        account = ServiceAccount(metadata=ObjectMeta(name=name), automountServiceAccountToken=mounts)
        client.create(account, namespace=namespace)

    def mounts_token(account: str, by_pod: bool | None) -> bool:
        wanted = pod("p", serviceAccountName=account, automountServiceAccountToken=by_pod)
        made = client.create(wanted, namespace=namespace, dry_run=True).spec
        assert made is not None
        paths = [mount.mountPath for mount in made.containers[0].volumeMounts or []]
        assert paths in ([], ["/var/run/secrets/kubernetes.io/serviceaccount"])
        return bool(paths)

    found = {
        account: [mounts_token(account, by_pod) for by_pod in (None, True, False)]
        for account in ("default-on", "on", "off")
    }

    assert found == {"default-on": [True, True, False], "on": [True, True, False], "off": [False, True, False]}
