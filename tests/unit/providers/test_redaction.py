from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.redaction import LAST_APPLIED, redact

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", **fields}


def redacted(item: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    kept: list[str] = []
    return redact(item, kept.append), kept


def test_a_secret_keeps_names_and_sizes_only() -> None:
    item = secret(
        data={"password": b64("correct horse"), "pin": b64("1234")},
        stringData={"other": "battery staple"},
        immutable=True,
        metadata={
            "name": "s",
            "labels": {"app": "x"},
            "annotations": {LAST_APPLIED: '{"data":"correct horse"}', "note": "fine"},
            "managedFields": [{"fieldsV1": {"f:data": {"f:password": {}}}}],
        },
    )

    clean, kept = redacted(item)

    assert clean == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {"app": "x"}, "annotations": {"note": "fine"}},
        "type": "Opaque",
        "immutable": True,
        "size_bytes": {"other": 14, "password": 13, "pin": 4},
    }
    assert kept == [b64("correct horse"), "correct horse", b64("battery staple"), "battery staple"]


def test_a_secret_whose_only_annotation_is_last_applied_has_none() -> None:
    clean, _ = redacted(secret(metadata={"name": "s", "annotations": {LAST_APPLIED: "x"}}))

    assert clean["metadata"] == {"name": "s"}


def test_a_value_that_a_secret_was_made_with_is_kept_too() -> None:
    applied = json.dumps(secret(stringData={"password": "correct horse"}))

    clean, kept = redacted(
        secret(data={"password": b64("battery staple")}, metadata={"annotations": {LAST_APPLIED: applied}})
    )

    assert clean["metadata"] == {}
    assert kept == [b64("battery staple"), "battery staple", b64("correct horse"), "correct horse"]


def test_an_annotation_with_a_telling_name_is_left_out_unless_it_is_a_flag() -> None:
    annotations = {"example.com/api-token": "correct horse", "example.com/mountable-secrets": "true", "note": "fine"}

    clean, kept = redacted({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"annotations": annotations}})

    left_out = {"example.com/api-token": "<value of 13 bytes, not dumped>"}
    assert clean["metadata"] == {"annotations": {**annotations, **left_out}}
    assert kept == [b64("correct horse"), "correct horse"]


def test_bytes_that_are_no_text_are_kept_encoded() -> None:
    value = base64.b64encode(bytes(range(250, 256)) * 2).decode()

    _, kept = redacted(secret(data={"key": value}))

    assert kept == [value]


def test_a_value_that_is_no_base64_is_kept_as_it_stands() -> None:
    clean, kept = redacted(secret(data={"key": "not base64 at all"}))

    assert (clean["size_bytes"], kept[1]) == ({"key": 17}, "not base64 at all")


@pytest.mark.parametrize(
    ("kind", "public", "private"),
    [
        ("kubernetes.io/service-account-token", {"namespace": "kube-system", "ca.crt": "certificate"}, "token"),
        ("kubernetes.io/tls", {"tls.crt": "certificate"}, "tls.key"),
        ("bootstrap.kubernetes.io/token", {"auth-extra-groups": "system:bootstrappers:x"}, "token-secret"),
    ],
)
def test_public_values_of_typed_secrets_are_not_censored(kind: str, public: dict[str, str], private: str) -> None:
    data = {key: b64(value) for key, value in {**public, private: "0123456789abcdef"}.items()}

    clean, kept = redacted(secret(type=kind, data=data))

    assert kept == [b64("0123456789abcdef"), "0123456789abcdef"]
    assert set(clean["size_bytes"]) == set(data)


@pytest.mark.parametrize("data", [None, [], "text", 5, {}], ids=str)
def test_a_secret_of_a_strange_shape_is_no_error(data: Any) -> None:
    clean, kept = redacted(secret(data=data, metadata=None))

    assert (clean["size_bytes"], clean["metadata"], kept) == ({}, {}, [])


def test_variables_with_telling_names_lose_their_values() -> None:
    container = {
        "env": [
            {"name": "API_TOKEN", "value": "abc"},
            {"name": "db_password", "value": "pässword"},
            {"name": "LOG_LEVEL", "value": "debug"},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            "nonsense",
        ]
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}}

    clean, kept = redacted(pod)

    assert clean["spec"]["containers"][0]["env"] == [
        {"name": "API_TOKEN", "value": "<value of 3 bytes, not dumped>"},
        {"name": "db_password", "value": "<value of 9 bytes, not dumped>"},
        {"name": "LOG_LEVEL", "value": "debug"},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        "nonsense",
    ]
    assert kept == [base64.b64encode("pässword".encode()).decode(), "pässword"]  # "abc" is too short to be a secret


def test_private_keys_are_cut_out_of_any_text() -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": f"before {PEM} after", "b": PEM[:40]}}

    clean, kept = redacted(item)

    assert clean["data"] == {
        "a": f"before <private key of {len(PEM)} bytes, not dumped> after",
        "b": "<private key of 40 bytes, not dumped>",
    }
    assert kept == [PEM, PEM[:40]]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Config\nclusters: []\n",
        'clusters: []\nkind: "Config"\n',
        '{\n "kind": "Config",\n "clusters": []\n}',
    ],
    ids=["yaml", "quoted", "json"],
)
def test_a_kubeconfig_in_a_config_map_is_not_dumped(text: str) -> None:
    clean, _ = redacted({"apiVersion": "v1", "kind": "ConfigMap", "data": {"kubeconfig": text}})

    assert clean["data"] == {"kubeconfig": f"<kubeconfig of {len(text)} bytes, not dumped>"}


def test_a_text_that_only_speaks_of_clusters_stays() -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "clusters are kind: Config files"}}

    assert redacted(item) == (item, [])


keys = st.text(max_size=12).filter(lambda key: key not in ("env", "kind"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(keys, values, max_size=4))
def test_an_object_without_secrets_stays_as_it_is(item: dict[str, Any]) -> None:
    assert redacted(item) == (item, [])


@given(st.dictionaries(st.text(min_size=1), st.text(alphabet="0123456789abcdef", min_size=12)))
def test_no_value_of_a_secret_is_in_what_comes_out(data: dict[str, str]) -> None:
    clean, kept = redacted(secret(data={key: b64(value) for key, value in data.items()}))

    told = json.dumps({**clean, "size_bytes": list(clean["size_bytes"].values())})
    assert not [value for value in data.values() if value in told or b64(value) in told]
    assert set(kept) == {form for value in data.values() for form in (value, b64(value))}


def test_what_kubectl_noted_of_a_manifest_is_cleaned_like_the_object() -> None:
    variable = {"name": "DB_PASSWORD", "value": "CANARY-12345678"}
    spec = {"template": {"spec": {"containers": [{"name": "c", "env": [variable]}]}}}
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    kept: list[str] = []
    noted = {**manifest, "metadata": {"annotations": {annotation: json.dumps(manifest)}}}

    cleaned = redact(noted, kept.append)

    assert "CANARY" not in json.dumps(cleaned)
    assert "CANARY-12345678" in kept


@pytest.mark.parametrize(
    "text",
    [
        '{"apiVersion":"v1","kind":"Config","clusters":[],"users":[{"user":{"token":"SECRETTOKEN123"}}]}',
        "apiVersion: v1\nkind: Config # mine\nclusters: []\nusers: [{user: {token: SECRETTOKEN123}}]\n",
        "{apiVersion: v1, kind: Config, clusters: [], users: [{user: {token: SECRETTOKEN123}}]}",
    ],
    ids=["compact JSON", "comment", "flow YAML"],
)
def test_kubeconfig_in_any_form_is_not_dumped(text: str) -> None:
    cleaned = redact({"apiVersion": "v1", "kind": "ConfigMap", "data": {"f": text}}, lambda _value: None)

    assert "SECRETTOKEN123" not in json.dumps(cleaned)
