from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.models.authentication_v1 import BoundObjectReference, TokenReviewSpec, TokenReviewStatus
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.authentication_v1 import TokenReview
from lightkube.resources.core_v1 import Secret, ServiceAccount

from e2e.suite.auth.conftest import IDENTITY, MakeIdentity, request_token
from e2e.suite.controllers import meta

pytestmark = [
    pytest.mark.sig("auth"),
    pytest.mark.needs(*IDENTITY),
]

SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def claims(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JSON web token."""
    header, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return header, body


def review(client: Client, token: str, *audiences: str) -> TokenReviewStatus:
    made = client.create(TokenReview(spec=TokenReviewSpec(token=token, audiences=list(audiences) or None)))
    assert made.status is not None
    return made.status


def who_am_i(http: httpx2.Client) -> int:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    return http.post(SELF, json=body).status_code


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview [Conformance]"
)
@pytest.mark.needs("create tokenreviews.authentication.k8s.io")
def test_token_review(client: Client, namespace: str, make_identity: MakeIdentity) -> None:
    """ServiceAccounts should get a token that a TokenReview ascribes to them and their groups."""
    robot = make_identity("robot")
    status = review(client, robot.token)
    account = client.get(ServiceAccount, "robot", namespace=namespace)
    forged = review(client, robot.token[:-8] + "AAAAAAAA")

    assert status.authenticated
    assert status.user is not None
    assert (status.user.username, status.user.uid) == (robot.user, meta(account).uid)
    assert sorted(status.user.groups or []) == [
        "system:authenticated",
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
    ]
    assert (forged.authenticated, forged.user and forged.user.username) == (None, None)


@pytest.mark.cite("docs/reference/access-authn-authz/service-accounts-admin#tokenrequest-api")
@pytest.mark.needs("create tokenreviews.authentication.k8s.io")
def test_token_is_for_its_audience(
    client: Client, namespace: str, make_identity: MakeIdentity, act_with: Callable[[str], tuple[Client, httpx2.Client]]
) -> None:
    """ServiceAccounts should get tokens that are good for the requested audience and time, and not for the API server."""
    robot = make_identity("robot")
    token = request_token(client, namespace, "robot", audiences=["vault"], expirationSeconds=600)
    _, body = claims(token)
    _, with_token = act_with(token)

    assert (body["aud"], body["sub"], body["exp"] - body["iat"]) == (["vault"], robot.user, 600)
    assert (who_am_i(robot.http), who_am_i(with_token)) == (201, 401)
    assert [review(client, token, *to).authenticated for to in (["vault"], ["other"], [])] == [True, None, None]


@pytest.mark.parametrize("bound_to", ["Secret", "ServiceAccount"])
@pytest.mark.cite("docs/reference/access-authn-authz/service-accounts-admin#bound-service-account-tokens")
@pytest.mark.needs("create,delete secrets")
def test_token_ends_with_what_it_is_bound_to(
    client: Client,
    namespace: str,
    bound_to: str,
    make_identity: MakeIdentity,
    act_with: Callable[[str], tuple[Client, httpx2.Client]],
    eventually: Callable[..., Any],
) -> None:
    """ServiceAccounts should have no more use of a token when the object it is bound to is deleted."""
    make_identity("robot")
    secret = client.create(Secret(metadata=ObjectMeta(name="bound")), namespace=namespace)
    reference = BoundObjectReference(apiVersion="v1", kind="Secret", name="bound", uid=meta(secret).uid)
    bound = {"boundObjectRef": reference} if bound_to == "Secret" else {}
    # The API server remembers for ten seconds that a token was good: one token is used before, the other one after.
    before, after = (act_with(request_token(client, namespace, "robot", **bound))[1] for _ in range(2))
    code_before = who_am_i(before)
    if bound_to == "Secret":
        client.delete(Secret, "bound", namespace=namespace)
    else:
        client.delete(ServiceAccount, "robot", namespace=namespace)

    assert code_before == 201
    # and if it came before the news of the deletion, its ten seconds pass too
    eventually(lambda: who_am_i(after), until=lambda code: code == 401)


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-auth] ServiceAccounts ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer "
    "[Conformance]"
)
@pytest.mark.needs("get /.well-known/openid-configuration", "get /openid/v1/jwks")
def test_issuer_discovery(http: httpx2.Client, make_identity: MakeIdentity) -> None:
    """ServiceAccountIssuerDiscovery should publish the issuer of tokens and the key that signed them."""
    header, body = claims(make_identity("robot").token)
    document = http.get("/.well-known/openid-configuration").json()
    keys = http.get("/openid/v1/jwks").json()["keys"]
    signing = [(key["kty"], key["alg"], key["use"]) for key in keys if key["kid"] == header["kid"]]

    assert (document["issuer"], document["response_types_supported"]) == (body["iss"], ["id_token"])
    assert document["jwks_uri"].endswith("/openid/v1/jwks")
    assert header["alg"] in document["id_token_signing_alg_values_supported"]
    assert [(alg, use) for _, alg, use in signing] == [(header["alg"], "sig")]
