"""A service account as the SDK's own chain of credentials finds it: it signs its tokens by itself, and opens nothing."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from tests.support.clouds.gce import PROJECT


def write_account(path: Path) -> Path:
    """Write the file that GOOGLE_APPLICATION_CREDENTIALS may name."""
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "k1",
        "private_key": _key(),
        "client_email": "e2e@example.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "http://127.0.0.1:9/token",
    }
    path.write_text(json.dumps(account), encoding="utf-8")
    path.chmod(0o600)
    return path


@cache
def _key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
