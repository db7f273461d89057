"""Takes out of an API object what a world-readable bucket must never hold. Source: DESIGN section 7.

Pure: an object goes in, a copy comes out, and every secret value met on the way is handed to ``keep``, so that the
censor finds it in logs and in other objects too.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Keep = Callable[[str], None]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SHORTEST_SECRET = 8  # shorter values would blacken half of every log
_SENSITIVE_NAME = re.compile(r"TOKEN|SECRET|PASS|KEY|CRED", re.IGNORECASE)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_KUBECONFIG = re.compile(r"""["']?\bkind["']?\s*:\s*["']?Config\b""")
_CLUSTERS = re.compile(r"""\bclusters["']?\s*:""")
# Keys of typed Secrets whose values are public; censoring "kube-system" everywhere would ruin every log.
_PUBLIC_KEYS = {
    "kubernetes.io/service-account-token": frozenset({"ca.crt", "namespace", "service-ca.crt"}),
    "kubernetes.io/tls": frozenset({"tls.crt", "ca.crt"}),
    "bootstrap.kubernetes.io/token": frozenset(
        {
            "auth-extra-groups",
            "description",
            "expiration",
            "token-id",
            "usage-bootstrap-authentication",
            "usage-bootstrap-signing",
        }
    ),
}


def redact(item: Mapping[str, Any], keep: Keep) -> dict[str, Any]:
    """Return a copy of an API object that may be published.

    A Secret keeps its metadata, its type, and the size of each value in bytes. Elsewhere private keys, kubeconfigs and
    literal values of environment variables and annotations with telling names are replaced by what they were and how
    long.
    """
    if item.get("kind") == "Secret" and item.get("apiVersion") == "v1":
        return _secret(item, keep)
    cleaned = _clean(item, keep)
    assert isinstance(cleaned, dict)
    return cleaned


def _secret(item: Mapping[str, Any], keep: Keep) -> dict[str, Any]:
    kind = item.get("type", "")
    values = {**_decoded(item.get("data")), **_plain(item.get("stringData"))}
    for key, value in values.items():
        if key not in _PUBLIC_KEYS.get(str(kind), ()):
            _keep_value(value, keep)
    metadata = dict(item.get("metadata") or {})
    metadata.pop("managedFields", None)
    annotations = dict(metadata.pop("annotations", None) or {})
    if isinstance(applied := annotations.pop(LAST_APPLIED, None), str):
        _clean_manifest(applied, keep)  # a value that was changed since may still be in use elsewhere
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _clean(metadata, keep),
        "type": kind,
        **({"immutable": item["immutable"]} if "immutable" in item else {}),
        "size_bytes": {key: len(value) for key, value in sorted(values.items())},
    }


def _decoded(values: object) -> dict[str, bytes]:
    if not isinstance(values, Mapping):
        return {}
    decoded = {}
    for key, value in values.items():
        try:
            decoded[str(key)] = base64.b64decode(str(value), validate=True)
        except (binascii.Error, ValueError):
            decoded[str(key)] = str(value).encode()
    return decoded


def _plain(values: object) -> dict[str, bytes]:
    return {str(key): str(value).encode() for key, value in values.items()} if isinstance(values, Mapping) else {}


def _keep_value(value: bytes, keep: Keep) -> None:
    if len(value) < SHORTEST_SECRET:
        return
    # bytes that are no text can only turn up encoded
    keep(base64.b64encode(value).decode())
    try:
        keep(value.decode())
    except UnicodeDecodeError:
        return


def _clean(value: Any, keep: Keep) -> Any:
    if isinstance(value, Mapping):
        return {key: _clean_field(str(key), item, keep) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, keep) for item in value]
    if isinstance(value, str):
        return _clean_text(value, keep)
    return value


def _clean_field(key: str, value: Any, keep: Keep) -> Any:
    if key == "env" and isinstance(value, list):
        return [_clean_variable(item, keep) for item in value]
    if key == "annotations" and isinstance(value, Mapping):
        return {str(name): _clean_annotation(str(name), text, keep) for name, text in value.items()}
    return _clean(value, keep)


def _clean_annotation(name: str, value: Any, keep: Keep) -> Any:
    if name == LAST_APPLIED and isinstance(value, str):
        return _clean_manifest(value, keep)
    # shorter ones are flags: kubernetes.io/enforce-mountable-secrets is "true"
    if not isinstance(value, str) or len(value) < SHORTEST_SECRET or not _SENSITIVE_NAME.search(name):
        return _clean(value, keep)
    _keep_value(value.encode(), keep)
    return _gone("value", value)


def _clean_manifest(text: str, keep: Keep) -> str:
    """Return what kubectl noted of a manifest, cleaned as the object itself is."""
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        return _gone("manifest", text)
    return json.dumps(redact(manifest, keep))


def _clean_variable(variable: Any, keep: Keep) -> Any:
    if not isinstance(variable, Mapping) or not isinstance(variable.get("value"), str):
        return _clean(variable, keep)
    if not _SENSITIVE_NAME.search(str(variable.get("name", ""))):
        return _clean(variable, keep)
    _keep_value(variable["value"].encode(), keep)
    return {**variable, "value": _gone("value", variable["value"])}


def _clean_text(text: str, keep: Keep) -> str:
    if "PRIVATE KEY-----" in text:
        for found in _PRIVATE_KEY.findall(text):
            keep(found)
        text = _PRIVATE_KEY.sub(lambda match: _gone("private key", match.group()), text)
    if _CLUSTERS.search(text) and _KUBECONFIG.search(text):
        return _gone("kubeconfig", text)
    return text


def _gone(what: str, text: str) -> str:
    return f"<{what} of {len(text.encode())} bytes, not dumped>"
