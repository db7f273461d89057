"""Plants secrets of three kinds in a cluster, each also elsewhere and in every encoding, prints them, and fails."""

from __future__ import annotations

import base64
import json
import os
from urllib.parse import quote

import pytest
from lightkube import Client
from lightkube.models.core_v1 import Container, EnvVar, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Pod, Secret

pytestmark = pytest.mark.sig("canary")

# JSON of place -> value, and what is no secret
CANARIES: dict[str, str] = json.loads(os.environ.get("CANARIES", "{}"))
HARMLESS = os.environ.get("HARMLESS", "")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def encodings(text: str) -> dict[str, str]:
    """Return a secret as others may write it: in base64 behind one and two other bytes, in a URL."""
    shifted = {f"base64-{shift}": base64.b64encode(b"-" * shift + text.encode() + b"--").decode() for shift in range(3)}
    return {"plain": text, "url": quote(text, safe=""), **shifted}


def test_canaries(client: Client, namespace: str) -> None:
    """Canaries should be planted."""
    was = {"apiVersion": "v1", "kind": "Secret", "stringData": {"password": CANARIES["applied"]}}
    annotations = {LAST_APPLIED: json.dumps(was)}
    data = {"password": CANARIES["secret"]}
    client.create(Secret(metadata=ObjectMeta(name="s", annotations=annotations), stringData=data), namespace=namespace)
    variables = [EnvVar(name="DB_PASSWORD", value=CANARIES["env"]), EnvVar(name="PLACE", value=HARMLESS)]
    spec = PodSpec(containers=[Container(name="c", image="example.com/c", env=variables)])
    metadata = ObjectMeta(name="p", annotations={"example.com/api-token": CANARIES["annotation"]})
    client.create(Pod(metadata=metadata, spec=spec), namespace=namespace)
    for place, canary in CANARIES.items():
        copies = encodings(canary)
        notes = {f"example.com/{name}": text for name, text in copies.items()}
        client.create(ConfigMap(metadata=ObjectMeta(name=place, annotations=notes), data=copies), namespace=namespace)
        print(place, *copies.values())

    pytest.fail(f"{HARMLESS}: {json.dumps(CANARIES)}")
