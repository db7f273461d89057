"""Config maps, secrets and the pod's own fields, as files of a container."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Pod, Secret

from e2e.suite.containers import EXEC, FOREVER, RUN, RUN_S, Inside, Pods, lasting, once, shell

pytestmark = [
    pytest.mark.sig("storage"),
    pytest.mark.requires("pods-run"),
    pytest.mark.needs(*RUN, "configmaps", "secrets"),
]

Eventually = Callable[..., Any]
MOUNT = [{"name": "v", "mountPath": "/v"}]


def config_map(client: Client, namespace: str, name: str = "c", **data: str) -> None:
    """Create a config map."""
    client.create(ConfigMap(metadata=ObjectMeta(name=name), data=data), namespace=namespace)


def secret(client: Client, namespace: str, name: str = "s", **data: str) -> None:
    """Create a secret."""
    client.create(Secret(metadata=ObjectMeta(name=name), stringData=data), namespace=namespace)


def volume(**source: Any) -> dict[str, Any]:
    """Return fields of a pod with one volume."""
    return {"volumes": [{"name": "v", **source}]}


@pytest.mark.cite(
    "[sig-storage] ConfigMap should be consumable from pods in volume with mappings and Item mode set [LinuxOnly] [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
def test_config_map_as_files(client: Client, namespace: str, pods: Pods) -> None:
    """Config map should be files with the paths and the modes that its pod gives its keys."""
    config_map(client, namespace, a="one", b="two", c="three")
    items = [{"key": "a", "path": "a"}, {"key": "b", "path": "deep/er/b", "mode": 0o400}]
    found = volume(configMap={"name": "c", "items": items, "defaultMode": 0o440})
    made = shell("cd /v; for f in a deep/er/b; do stat -L -c %a $f; cat $f; echo; done; ls", volumeMounts=MOUNT)

    assert pods.output(once("a", made, **found)).split() == ["440", "one", "400", "two", "a", "deep"]


@pytest.mark.cite(
    "[sig-storage] Secrets should be consumable from pods in volume as non-root with defaultMode and fsGroup set [LinuxOnly] [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
def test_secret_as_files(client: Client, namespace: str, pods: Pods) -> None:
    """Secret should be files that the pod's group may read, kept in memory."""
    secret(client, namespace, key="hush")
    user = {"runAsUser": 1000, "fsGroup": 2000}
    script = "stat -L -c '%a %g' /v/key; cat /v/key; echo; grep ' /v ' /proc/mounts | cut -d' ' -f3"
    found = volume(secret={"secretName": "s", "defaultMode": 0o440})
    made = once("a", shell(script, volumeMounts=MOUNT), securityContext=user, **found)

    assert pods.output(made).splitlines() == ["440 2000", "hush", "tmpfs"]


@pytest.mark.cite(
    "[sig-storage] Projected combined should project all components that make up the projection API [Projection] [NodeConformance] [Conformance]"
)
@pytest.mark.cite("[sig-auth] ServiceAccounts should mount projected service account token [Conformance]")
@pytest.mark.conformance
def test_projected_volume(client: Client, namespace: str, pods: Pods) -> None:
    """Projected volume should hold a config map, a secret, the pod's own name and a token of its account."""
    config_map(client, namespace, conf="of the config map")
    secret(client, namespace, hush="of the secret")
    field = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
    token = {"path": "token", "audience": "me", "expirationSeconds": 3600}
    sources = [
        {"configMap": {"name": "c"}},
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [field]}},
        {"serviceAccountToken": token},
    ]
    made = shell("cd /v; for f in conf hush name token; do cat $f; echo; done", volumeMounts=MOUNT)
    *texts, found = pods.output(once("a", made, **volume(projected={"sources": sources}))).splitlines()

    claims = base64.urlsafe_b64decode(found.split(".")[1] + "==").decode()
    assert texts == ["of the config map", "of the secret", "a"]
    assert '"aud":["me"]' in claims
    assert f'"sub":"system:serviceaccount:{namespace}:default"' in claims


CHANGED = {
    "config map": (
        {"configMap": {"name": "c"}},
        lambda client, ns: client.patch(ConfigMap, "c", {"data": {"key": "new"}}, namespace=ns),
    ),
    "secret": (
        {"secret": {"secretName": "s"}},
        lambda client, ns: client.patch(Secret, "s", {"stringData": {"key": "new"}}, namespace=ns),
    ),
    "label": (
        {"downwardAPI": {"items": [{"path": "key", "fieldRef": {"fieldPath": "metadata.labels['key']"}}]}},
        lambda client, ns: client.patch(Pod, "a", {"metadata": {"labels": {"key": "new"}}}, namespace=ns),
    ),
}


@pytest.mark.slow
@pytest.mark.cite("[sig-storage] ConfigMap updates should be reflected in volume [NodeConformance] [Conformance]")
@pytest.mark.cite(
    "[sig-storage] Downward API volume should update labels on modification [NodeConformance] [Conformance]"
)
@pytest.mark.conformance
@pytest.mark.parametrize(("source", "change"), CHANGED.values(), ids=CHANGED)
@pytest.mark.needs(EXEC)
def test_files_follow_their_source(
    client: Client,
    namespace: str,
    pods: Pods,
    inside: Inside,
    eventually: Eventually,
    source: dict[str, Any],
    change: Callable[[Client, str], object],
) -> None:
    """Files of a volume should change with their source while the container runs."""
    config_map(client, namespace, key="old")
    secret(client, namespace, key="old")
    pods.start(lasting("a", shell(FOREVER, volumeMounts=MOUNT), labels={"key": "old"}, **volume(**source)))
    assert inside("a", "cat /v/key").stdout == "old"
    change(client, namespace)
    tries = iter(range(1000))

    def content() -> str:
        # a pod that changes is looked at soon; else the kubelet comes by within a minute or two
        nudge = {"metadata": {"annotations": {"e2e.test/look": str(next(tries))}}}
        client.patch(Pod, "a", nudge, namespace=namespace)
        return inside("a", "cat /v/key").stdout

    eventually(content, until=lambda seen: seen == "new", timeout_s=2 * RUN_S, what="/v/key changes")
    assert pods.container("a").restartCount == 0


@pytest.mark.cite("docs/concepts/storage/volumes#using-subpath")
def test_sub_path_keeps_what_is_beside_it(client: Client, namespace: str, pods: Pods) -> None:
    """One key of a config map should be mounted as a file that leaves its neighbours alone."""
    config_map(client, namespace, motd="hello")
    mount = [{"name": "v", "mountPath": "/etc/motd", "subPath": "motd"}]
    made = shell("cat /etc/motd; echo; test -e /etc/passwd && echo kept", volumeMounts=mount)

    assert pods.output(once("a", made, **volume(configMap={"name": "c"}))) == "hello\nkept\n"


@pytest.mark.cite("docs/concepts/configuration/configmap#optional-configmaps")
def test_optional_sources_may_be_missing(pods: Pods) -> None:
    """Pod should start without a config map and a secret that are optional."""
    sources = [{"configMap": {"name": "c", "optional": True}}, {"secret": {"name": "s", "optional": True}}]
    made = shell("ls /v | wc -l", volumeMounts=MOUNT)

    assert pods.output(once("a", made, **volume(projected={"sources": sources}))).strip() == "0"
