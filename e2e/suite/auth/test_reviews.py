from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.models.authorization_v1 import (
    ResourceAttributes,
    SelfSubjectAccessReviewSpec,
    SelfSubjectRulesReviewSpec,
    SubjectAccessReviewSpec,
)
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.authorization_v1 import (
    LocalSubjectAccessReview,
    SelfSubjectAccessReview,
    SelfSubjectRulesReview,
    SubjectAccessReview,
)
from lightkube.resources.core_v1 import ServiceAccount

from e2e.suite.auth.conftest import GRANT, IDENTITY, Identity, MakeIdentity, grant, rule
from e2e.suite.refusals import Refusal, refusal

pytestmark = pytest.mark.sig("auth")

Eventually = Callable[..., Any]


def asks_itself(identity: Identity, verb: str, resource: str) -> bool:
    wanted = ResourceAttributes(namespace=identity.namespace, verb=verb, resource=resource)
    made = identity.client.create(SelfSubjectAccessReview(spec=SelfSubjectAccessReviewSpec(resourceAttributes=wanted)))
    assert made.status is not None
    return made.status.allowed


@pytest.mark.conformance
@pytest.mark.cite("[sig-auth] SubjectReview should support SubjectReview API operations [Conformance]")
@pytest.mark.needs(
    *IDENTITY,
    *GRANT,
    "get configmaps",
    "create subjectaccessreviews.authorization.k8s.io",
    "create localsubjectaccessreviews.authorization.k8s.io",
)
def test_access_reviews_agree(
    client: Client, namespace: str, make_identity: MakeIdentity, eventually: Eventually
) -> None:
    """SubjectReview should give the same answer to the administrator, in the namespace, and to the subject itself."""
    reader = make_identity("reader")
    grant(client, namespace, "read", reader.subject, rule("get", "configmaps"))

    def answers(verb: str, resource: str) -> list[bool]:
        wanted = ResourceAttributes(namespace=namespace, verb=verb, resource=resource)
        spec = SubjectAccessReviewSpec(user=reader.user, resourceAttributes=wanted)
        whole = client.create(SubjectAccessReview(spec=spec)).status
        local = client.create(LocalSubjectAccessReview(metadata=ObjectMeta(), spec=spec), namespace=namespace).status
        assert whole is not None
        assert local is not None
        return [whole.allowed, local.allowed, asks_itself(reader, verb, resource)]

    eventually(lambda: answers("get", "configmaps"), until=lambda found: found == [True] * 3)
    assert answers("list", "configmaps") == [False] * 3
    assert answers("get", "secrets") == [False] * 3


@pytest.mark.cite("docs/reference/access-authn-authz/authorization#checking-api-access")
@pytest.mark.needs(*IDENTITY, *GRANT, "get,list configmaps", "get pods")
def test_rules_review(client: Client, namespace: str, make_identity: MakeIdentity, eventually: Eventually) -> None:
    """SelfSubjectRulesReview should list what the subject may do in a namespace."""
    reader = make_identity("reader")
    grant(client, namespace, "read", reader.subject, rule("get list", "configmaps"), rule("get", "pods", names="a b"))

    def own_rules() -> list[tuple[list[str], list[str], list[str]]]:
        wanted = SelfSubjectRulesReview(spec=SelfSubjectRulesReviewSpec(namespace=namespace))
        status = reader.client.create(wanted).status
        assert status is not None
        found = [(r.verbs, r.resources or [], r.resourceNames or []) for r in status.resourceRules]
        return sorted(entry for entry in found if entry[1] in (["configmaps"], ["pods"]))

    wanted = [(["get"], ["pods"], ["a", "b"]), (["get", "list"], ["configmaps"], [])]
    eventually(own_rules, until=lambda found: found == wanted)


@pytest.mark.cite("docs/reference/access-authn-authz/authentication#self-subject-review")
@pytest.mark.needs("impersonate users", "impersonate groups", "impersonate userextras.authentication.k8s.io/scopes")
def test_impersonation(http: httpx2.Client, namespace: str) -> None:
    """Impersonation should make the administrator act as the user, with the groups and extra facts that he names."""
    headers = [
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "developers"),
        ("Impersonate-Group", "admins"),
        ("Impersonate-Extra-scopes", "view"),
    ]
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json=body, headers=headers).json()
    as_jane = http.get(f"/api/v1/namespaces/{namespace}/secrets", headers={"Impersonate-User": "jane"})

    assert answer["status"]["userInfo"] == {
        "username": "jane",
        "groups": ["developers", "admins", "system:authenticated"],
        "extra": {"scopes": ["view"]},
    }
    assert (as_jane.status_code, as_jane.json()["message"]) == (
        403,
        f'secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" in the namespace "{namespace}"',
    )


@pytest.mark.cite("docs/reference/access-authn-authz/authentication#user-impersonation")
@pytest.mark.needs(*IDENTITY, *GRANT, "impersonate serviceaccounts")
def test_impersonation_needs_permission(
    client: Client, namespace: str, make_identity: MakeIdentity, eventually: Eventually
) -> None:
    """Impersonation should be allowed only of those whom the actor's role names."""
    actor, mask = make_identity("actor"), make_identity("mask")
    client.create(ServiceAccount(metadata=ObjectMeta(name="other")), namespace=namespace)
    grant(client, namespace, "act", actor.subject, rule("impersonate", "serviceaccounts", names="mask"))
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}

    def act_as(user: str) -> tuple[int, str | None]:
        path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        answer = actor.http.post(path, json=body, headers={"Impersonate-User": user})
        return answer.status_code, answer.json().get("status", {}).get("userInfo", {}).get(
            "username"
        ) if answer.is_success else None

    eventually(lambda: act_as(mask.user), until=lambda found: found == (201, mask.user))
    assert act_as(f"system:serviceaccount:{namespace}:other") == (403, None)
    assert act_as("jane") == (403, None)
    assert refusal(lambda: mask.client.get(ServiceAccount, "mask", namespace=namespace)) == Refusal(
        403, "Forbidden", ""
    )
