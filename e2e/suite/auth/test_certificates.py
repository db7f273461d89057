from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.certificates_v1 import CertificateSigningRequestSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.certificates_v1 import (
    CertificateSigningRequest,
    CertificateSigningRequestApproval,
)

from e2e.suite.controllers import conditions, name_of
from e2e.suite.refusals import refusal

pytestmark = [
    pytest.mark.sig("auth"),
    pytest.mark.needs(
        "create,delete,get,patch certificatesigningrequests.certificates.k8s.io",
        "patch certificatesigningrequests.certificates.k8s.io/approval",
        "approve signers.certificates.k8s.io",
    ),
    pytest.mark.cluster_scoped,
]

SIGNER = "kubernetes.io/kube-apiserver-client"

# openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -subj /O=e2e:testers/CN=e2e:tester
REQUEST = """\
-----BEGIN CERTIFICATE REQUEST-----
MIHlMIGNAgEAMCsxFDASBgNVBAoMC2UyZTp0ZXN0ZXJzMRMwEQYDVQQDDAplMmU6
dGVzdGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFxPfr6D9Djef2dx66YsF
0R+0Zy/O8w91uKVEK0Mb4kugr7nk0zZJC1gjin8NW0nK5QHGZZwStqrN+WBhQ/Qn
oaAAMAoGCCqGSM49BAMCA0cAMEQCIHdDelC/vcBKFTO5MN1WdycDs9r+PAnEir5P
xEljGeC6AiBhlcb2qGJwpbdnoAcwyfjI8uwp5nD5xRyGqhItbO4yEA==
-----END CERTIFICATE REQUEST-----
"""


def ask(namespace: str, suffix: str) -> CertificateSigningRequest:
    spec = CertificateSigningRequestSpec(
        request=base64.b64encode(REQUEST.encode()).decode(),
        signerName=SIGNER,
        usages=["client auth", "digital signature"],
        expirationSeconds=3600,
    )
    return CertificateSigningRequest(metadata=ObjectMeta(name=f"{namespace}-{suffix}"), spec=spec)


def decide(client: Client, request: CertificateSigningRequest, decision: str) -> CertificateSigningRequestApproval:
    verdict = {"type": decision, "status": "True", "reason": "E2E", "message": "decided by a test"}
    patch = {"status": {"conditions": [verdict]}}
    return client.patch(CertificateSigningRequestApproval, name_of(request), patch)


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-auth] Certificates API [Privileged:ClusterAdmin] should support CSR API operations [Conformance]"
)
def test_requests_are_decided_once(client: Client, namespace: str, create_global: Callable[..., Any]) -> None:
    """Certificates API should record who asked and one decision through the approval subresource, and no other."""
    request = create_global(ask(namespace, "a"))
    changed = client.patch(CertificateSigningRequest, name_of(request), {"spec": {"username": "someone-else"}})
    denied = decide(client, request, "Denied")
    twice = refusal(lambda: decide(client, request, "Approved"))

    assert request.spec.username == changed.spec.username
    assert request.spec.username != "someone-else"
    assert conditions(denied) == {"Denied": ("True", "E2E")}
    assert (twice.code, twice.fields[:1]) == (422, ("status.conditions",))
    assert conditions(client.get(CertificateSigningRequest, name_of(request))) == {"Denied": ("True", "E2E")}


@pytest.mark.requires("csr-signing")
@pytest.mark.depends("certificatesigningrequest-signing-controller")
@pytest.mark.cite("docs/reference/access-authn-authz/certificate-signing-requests#kubernetes-signers")
def test_approved_request_is_signed(
    client: Client, namespace: str, create_global: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    """Certificates API should sign an approved client certificate for the subject and the time that were asked for."""
    request = create_global(ask(namespace, "b"))
    decide(client, request, "Approved")
    signed = eventually(
        lambda: client.get(CertificateSigningRequest, name_of(request)).status,
        until=lambda status: status.certificate,
    )
    certificate = ssl.PEM_cert_to_DER_cert(base64.b64decode(signed.certificate).decode())

    # organization and common name, as they were asked for
    assert certificate.count(b"e2e:tester") == 2
    assert conditions(client.get(CertificateSigningRequest, name_of(request))) == {"Approved": ("True", "E2E")}
