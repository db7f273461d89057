from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.models.rbac_v1 import AggregationRule, PolicyRule, RoleRef
from lightkube.resources.core_v1 import ConfigMap, Secret
from lightkube.resources.rbac_authorization_v1 import ClusterRole, Role, RoleBinding

from e2e.suite.auth.conftest import GRANT, IDENTITY, RBAC, Identity, MakeIdentity, grant, rule
from e2e.suite.refusals import Refusal, refusal

pytestmark = pytest.mark.sig("auth")

FORBIDDEN = Refusal(403, "Forbidden", "")

Eventually = Callable[..., Any]


def codes(identity: Identity, *paths: str) -> list[int]:
    """Return what the identity gets for each path below /api/v1/namespaces/."""
    return [identity.http.get(f"/api/v1/namespaces/{path}").status_code for path in paths]


@pytest.mark.cite("docs/reference/access-authn-authz/rbac#role-and-clusterrole")
@pytest.mark.needs(*IDENTITY, *GRANT, "configmaps")
def test_role_allows_what_it_names(
    client: Client,
    make_namespace: Callable[..., str],
    namespace: str,
    make_identity: MakeIdentity,
    eventually: Eventually,
) -> None:
    """RBAC should allow a subject the verbs and resources of its Role in that namespace, and nothing else."""
    other = make_namespace()
    for space in (namespace, other):
        client.create(ConfigMap(metadata=ObjectMeta(name="a")), namespace=space)
    reader = make_identity("reader")
    before = codes(reader, f"{namespace}/configmaps")
    grant(client, namespace, "read", reader.subject, rule("get list", "configmaps"))
    eventually(lambda: codes(reader, f"{namespace}/configmaps"), until=lambda found: found == [200])
    said = refusal(lambda: reader.client.delete(ConfigMap, "a", namespace=namespace))

    assert before == [403]
    assert codes(
        reader, f"{namespace}/configmaps/a", f"{namespace}/secrets", f"{namespace}/pods", f"{other}/configmaps"
    ) == [200, 403, 403, 403]
    assert said == FORBIDDEN
    assert said.message == (
        f'configmaps "a" is forbidden: User "{reader.user}" cannot delete resource "configmaps" in API group "" '
        f'in the namespace "{namespace}"'
    )


@pytest.mark.cite("docs/reference/access-authn-authz/rbac#referring-to-resources")
@pytest.mark.needs(*IDENTITY, *GRANT, "configmaps", "get serviceaccounts/status")
def test_role_may_name_objects_and_subresources(
    client: Client, namespace: str, make_identity: MakeIdentity, eventually: Eventually
) -> None:
    """RBAC should tell named objects and subresources apart from the others of their kind."""
    for name in ("open", "closed"):
        client.create(ConfigMap(metadata=ObjectMeta(name=name)), namespace=namespace)
    one = make_identity("one")
    rules = (rule("get", "configmaps", names="open"), rule("get", "serviceaccounts/status"))
    grant(client, namespace, "some", one.subject, *rules)
    eventually(lambda: codes(one, f"{namespace}/configmaps/open"), until=lambda found: found == [200])

    assert codes(
        one, f"{namespace}/configmaps/closed", f"{namespace}/configmaps", f"{namespace}/serviceaccounts/one"
    ) == [403, 403, 403]


@pytest.mark.cite("docs/reference/access-authn-authz/rbac#privilege-escalation-prevention-and-bootstrapping")
@pytest.mark.needs(*IDENTITY, *GRANT, "get configmaps")
def test_nobody_grants_what_he_does_not_hold(
    client: Client, namespace: str, make_identity: MakeIdentity, eventually: Eventually
) -> None:
    """RBAC should refuse a Role with permissions that its author does not hold."""
    author = make_identity("author")
    rules = (rule("create", "roles", group=RBAC), rule("get", "configmaps"))
    grant(client, namespace, "write-roles", author.subject, *rules)

    def create(name: str, what: PolicyRule) -> Role:
        return author.client.create(Role(metadata=ObjectMeta(name=name), rules=[what]), namespace=namespace)

    held = eventually(lambda: create("held", rule("get", "configmaps")))
    said = refusal(lambda: create("more", rule("get", "secrets")))

    assert held.rules == [rule("get", "configmaps")]
    assert said == FORBIDDEN
    assert "is attempting to grant RBAC permissions not currently held" in said.message


@pytest.mark.cluster_scoped
@pytest.mark.depends("clusterrole-aggregation-controller")
@pytest.mark.cite("docs/reference/access-authn-authz/rbac#aggregated-clusterroles")
@pytest.mark.needs("create,delete,escalate,get clusterroles.rbac.authorization.k8s.io")
def test_aggregated_cluster_role(
    client: Client, namespace: str, create_global: Callable[..., Any], eventually: Eventually
) -> None:
    """RBAC should keep the rules of an aggregated ClusterRole equal to those of the ClusterRoles that its selector matches."""
    label = {"e2e.example.com/part-of": namespace}
    selector = AggregationRule(clusterRoleSelectors=[LabelSelector(matchLabels=label)])
    create_global(ClusterRole(metadata=ObjectMeta(name=f"{namespace}-whole"), aggregationRule=selector))
    for kind in ("pods", "services"):
        part = ObjectMeta(name=f"{namespace}-{kind}", labels=label)
        create_global(ClusterRole(metadata=part, rules=[rule("get", kind)]))

    def rules() -> list[PolicyRule]:
        found = client.get(ClusterRole, f"{namespace}-whole").rules or []
        return sorted(found, key=lambda r: str(r.resources))

    eventually(rules, until=lambda found: found == [rule("get", "pods"), rule("get", "services")])
    client.delete(ClusterRole, f"{namespace}-pods")
    eventually(rules, until=lambda found: found == [rule("get", "services")])


@pytest.mark.depends("clusterrole-aggregation-controller")  # it fills in the rules of view
@pytest.mark.cite("docs/reference/access-authn-authz/rbac#user-facing-roles")
@pytest.mark.needs(
    *IDENTITY,
    "create rolebindings.rbac.authorization.k8s.io",
    "bind clusterroles.rbac.authorization.k8s.io",
    "create secrets",
)
def test_view_does_not_show_secrets(
    client: Client, namespace: str, make_identity: MakeIdentity, eventually: Eventually
) -> None:
    """RBAC should let the default role view see the objects of its namespace but no Secrets, and change nothing."""
    viewer = make_identity("viewer")
    reference = RoleRef(apiGroup=RBAC, kind="ClusterRole", name="view")
    binding = RoleBinding(metadata=ObjectMeta(name="view"), roleRef=reference, subjects=[viewer.subject])
    client.create(binding, namespace=namespace)
    client.create(Secret(metadata=ObjectMeta(name="s")), namespace=namespace)
    eventually(lambda: codes(viewer, f"{namespace}/configmaps"), until=lambda found: found == [200])
    new = ConfigMap(metadata=ObjectMeta(name="new"))

    assert codes(viewer, f"{namespace}/pods", f"{namespace}/secrets", f"{namespace}/secrets/s") == [200, 403, 403]
    assert refusal(lambda: viewer.client.create(new, namespace=namespace)) == FORBIDDEN
