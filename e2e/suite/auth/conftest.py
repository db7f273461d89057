"""Identities of a test: service accounts of its namespace, with tokens, and clients that act as them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from lightkube import Client
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import User
from lightkube.models.authentication_v1 import TokenRequestSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.models.rbac_v1 import PolicyRule, RoleRef, Subject
from lightkube.resources.core_v1 import ServiceAccount, ServiceAccountToken
from lightkube.resources.rbac_authorization_v1 import Role, RoleBinding

from e2e.plugin.connection import open_client, open_http

RBAC = "rbac.authorization.k8s.io"

# for the marker ``needs``: what it takes to make an identity, and to grant it what one holds oneself
IDENTITY = ("create,delete,get serviceaccounts", "create serviceaccounts/token")
GRANT = (f"create roles.{RBAC}", f"create rolebindings.{RBAC}")


@dataclass(frozen=True, slots=True)
class Identity:
    """A service account that acts: its names, its token, a typed and a plain client."""

    namespace: str
    name: str
    token: str
    client: Client
    http: httpx2.Client

    @property
    def user(self) -> str:
        """Return its user name."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def subject(self) -> Subject:
        """Return it as the subject of a binding."""
        return Subject(kind="ServiceAccount", name=self.name, namespace=self.namespace)


MakeIdentity = Callable[[str], Identity]


def request_token(client: Client, namespace: str, account: str, **spec: Any) -> str:
    """Return a new token of a service account; ``spec``: fields of TokenRequestSpec."""
    wanted = ServiceAccountToken(metadata=ObjectMeta(), spec=TokenRequestSpec(**spec))
    made = client.create(wanted, account, namespace=namespace)
    assert made.status is not None
    assert made.status.token is not None
    return made.status.token


def grant(client: Client, namespace: str, name: str, subject: Subject, *rules: PolicyRule) -> None:
    """Create a Role with these rules and bind it to the subject."""
    client.create(Role(metadata=ObjectMeta(name=name), rules=list(rules)), namespace=namespace)
    reference = RoleRef(apiGroup=RBAC, kind="Role", name=name)
    binding = RoleBinding(metadata=ObjectMeta(name=name), roleRef=reference, subjects=[subject])
    client.create(binding, namespace=namespace)


def rule(verbs: str, resources: str, *, group: str = "", names: str = "") -> PolicyRule:
    """Return a rule; verbs, resources and names are separated by spaces."""
    return PolicyRule(
        apiGroups=[group], resources=resources.split(), verbs=verbs.split(), resourceNames=names.split() or None
    )


@pytest.fixture
def act_with(kubeconfig: SingleConfig) -> Iterator[Callable[[str], tuple[Client, httpx2.Client]]]:
    """Return a function that makes a typed and a plain client for a bearer token; they are closed afterwards."""
    with ExitStack() as opened:

        def act(token: str) -> tuple[Client, httpx2.Client]:
            config = kubeconfig._replace(user=User(token=token))
            return opened.enter_context(open_client(config)), opened.enter_context(open_http(config))

        yield act


@pytest.fixture
def make_identity(
    client: Client, namespace: str, act_with: Callable[[str], tuple[Client, httpx2.Client]]
) -> MakeIdentity:
    """Return a function that creates a service account in the test's namespace and acts as it."""

    def make(name: str) -> Identity:
        client.create(ServiceAccount(metadata=ObjectMeta(name=name)), namespace=namespace)
        token = request_token(client, namespace, name)
        typed, plain = act_with(token)
        return Identity(namespace, name, token, typed, plain)

    return make
