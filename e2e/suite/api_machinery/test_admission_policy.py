from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.models.admissionregistration_v1 import (
    ValidatingAdmissionPolicyBindingSpec,
    ValidatingAdmissionPolicySpec,
)
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.admissionregistration_v1 import (
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)
from lightkube.resources.core_v1 import ConfigMap
from lightkube.types import PatchType

from e2e.suite.api_machinery.conftest import MakeWidgets, object_schema
from e2e.suite.refusals import refusal

pytestmark = [
    pytest.mark.sig("api-machinery"),
    pytest.mark.needs("create,delete,get validatingadmissionpolicies.admissionregistration.k8s.io"),
    pytest.mark.cluster_scoped,
]

BINDING = "create,delete validatingadmissionpolicybindings.admissionregistration.k8s.io"  # for the marker ``needs``

CreateGlobal = Callable[..., Any]
Eventually = Callable[..., Any]

CONFIG_MAPS = {
    "resourceRules": [
        {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE", "UPDATE"]}
    ]
}


def policy(name: str, **spec: Any) -> ValidatingAdmissionPolicy:
    body: Any = ValidatingAdmissionPolicySpec.from_dict(
        {"matchConstraints": CONFIG_MAPS, "failurePolicy": "Fail", **spec}
    )
    return ValidatingAdmissionPolicy(metadata=ObjectMeta(name=name), spec=body)


def binding(name: str, space: str, action: str, **spec: Any) -> ValidatingAdmissionPolicyBinding:
    """Bind a policy to one namespace: policies of cases that run at the same time must not meet."""
    only_here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}}}
    body = {"policyName": name, "validationActions": [action], "matchResources": only_here, **spec}
    bound: Any = ValidatingAdmissionPolicyBindingSpec.from_dict(body)
    return ValidatingAdmissionPolicyBinding(metadata=ObjectMeta(name=name), spec=bound)


def config_map(name: str, **values: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name), data=values)


@pytest.mark.conformance
@pytest.mark.cite(
    "[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should validate against a Deployment "
    "[Conformance]",
    "[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should allow expressions to refer variables. "
    "[Conformance]",
)
@pytest.mark.needs("configmaps", BINDING)
def test_policy_refuses_with_its_message(
    client: Client, make_namespace: Callable[..., str], create_global: CreateGlobal, eventually: Eventually
) -> None:
    """ValidatingAdmissionPolicy should refuse what breaks its expression, with its message, and only where it is bound."""
    bound, free = make_namespace(), make_namespace()
    create_global(
        policy(
            bound,
            variables=[{"name": "colour", "expression": "'colour' in object.data ? object.data['colour'] : ''"}],
            validations=[
                {"expression": "variables.colour != 'red'", "messageExpression": "'no ' + variables.colour + ' here'"}
            ],
        )
    )
    create_global(binding(bound, bound, "Deny"))

    def create(space: str, name: str, colour: str) -> object:
        return client.create(config_map(name, colour=colour), namespace=space, dry_run=True)

    said = eventually(lambda: refusal(lambda: create(bound, "a", "red")), what="the policy is in force")

    assert (said.code, said.reason) == (422, "Invalid")
    assert "no red here" in said.message
    assert create(bound, "a", "blue")
    assert create(free, "a", "red")


# Parameters of a kind of one's own: once the last policy with ConfigMaps as parameters is gone, the API server never reads
# ConfigMaps for policies again until it is restarted (kubernetes/kubernetes#130887).
@pytest.mark.cite("docs/reference/access-authn-authz/validating-admission-policy#parameter-resources")
@pytest.mark.needs(
    "configmaps",
    BINDING,
    "create,delete,get customresourcedefinitions.apiextensions.k8s.io",
    "widgets.*",
)
def test_policy_reads_its_parameters(
    client: Client, namespace: str, create_global: CreateGlobal, eventually: Eventually, make_widgets: MakeWidgets
) -> None:
    """ValidatingAdmissionPolicy should read its limits from a parameter object, and follow its changes."""
    limits = make_widgets(object_schema(spec=object_schema(most={"type": "integer"})))
    client.create(limits.make("limits", spec={"most": 1}), namespace=namespace)
    create_global(
        policy(
            namespace,
            paramKind={"apiVersion": f"{limits.group}/v1", "kind": "Widget"},
            validations=[{"expression": "object.data.size() <= params.spec.most", "message": "too many"}],
        )
    )
    reference = {"name": "limits", "namespace": namespace, "parameterNotFoundAction": "Deny"}
    create_global(binding(namespace, namespace, "Deny", paramRef=reference))

    def create(**values: str) -> ConfigMap:
        return client.create(config_map("a", **values), namespace=namespace, dry_run=True)

    eventually(lambda: refusal(lambda: create(x="1", y="2")).message, until=lambda said: "too many" in said)
    assert create(x="1")
    client.patch(limits.resource, "limits", {"spec": {"most": 2}}, namespace=namespace, patch_type=PatchType.MERGE)
    eventually(lambda: create(x="1", y="2"), what="the new limit is in force")


@pytest.mark.cite("docs/reference/access-authn-authz/validating-admission-policy#validation-actions")
@pytest.mark.needs("configmaps", BINDING)
def test_policy_may_only_warn(
    http: httpx2.Client, namespace: str, create_global: CreateGlobal, eventually: Eventually
) -> None:
    """ValidatingAdmissionPolicy that is bound to warn should let the request pass with a warning."""
    create_global(policy(namespace, validations=[{"expression": "false", "message": "mind the gap"}]))
    create_global(binding(namespace, namespace, "Warn"))

    def warnings() -> list[str]:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
        answer = http.post(f"/api/v1/namespaces/{namespace}/configmaps", params={"dryRun": "All"}, json=body)
        assert answer.status_code == 201, answer.text
        return list(answer.headers.get_list("Warning"))

    found = eventually(warnings, what="the policy warns")
    assert [w.count("mind the gap") for w in found] == [1]


@pytest.mark.depends("validatingadmissionpolicy-status-controller")
@pytest.mark.cite("docs/reference/access-authn-authz/validating-admission-policy#type-checking")
def test_policy_expressions_are_type_checked(
    client: Client, namespace: str, create_global: CreateGlobal, eventually: Eventually
) -> None:
    """ValidatingAdmissionPolicy should report in its status an expression that does not fit the type of its objects."""
    wrong = {"expression": "object.data > 3"}
    create_global(policy(namespace, validations=[{"expression": "object.data.size() < 9"}, wrong]))

    def checked() -> list[Any]:
        found = client.get(ValidatingAdmissionPolicy, namespace)
        assert found.status is not None
        assert found.metadata is not None
        assert found.status.observedGeneration == found.metadata.generation
        return (found.status.typeChecking and found.status.typeChecking.expressionWarnings) or []

    warnings = eventually(checked)
    assert [warning.fieldRef for warning in warnings] == ["spec.validations[1].expression"]
    assert "no matching overload" in warnings[0].warning
