"""How permissions are declared, and how a cluster is asked for them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.access import Need, _attributes, parse_needs

WORDS = st.text("abcxyz", min_size=1, max_size=5)
GROUPS = st.sampled_from(["", "apps", "rbac.authorization.k8s.io", "*"])
NEEDS = st.one_of(
    st.builds(Need, WORDS, WORDS, group=GROUPS, subresource=st.one_of(st.just(""), WORDS)),
    st.builds(Need, WORDS, st.sampled_from(["/metrics", "/.well-known/openid-configuration", "/healthz/no-such"])),
)


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        pytest.param("pods", [Need(v, "pods") for v in ("create", "delete", "get", "list", "patch")], id="usual-verbs"),
        pytest.param(
            "get,list deployments.apps",
            [Need("get", "deployments", "apps"), Need("list", "deployments", "apps")],
            id="verbs-and-group",
        ),
        pytest.param("create pods/eviction", [Need("create", "pods", "", "eviction")], id="subresource"),
        pytest.param(
            "impersonate userextras.authentication.k8s.io/scopes",
            [Need("impersonate", "userextras", "authentication.k8s.io", "scopes")],
            id="all-parts",
        ),
        pytest.param("get widgets.*", [Need("get", "widgets", "*")], id="any-group"),
        pytest.param("get /metrics", [Need("get", "/metrics")], id="path"),
    ],
)
def test_declared_permissions_are_read(text: str, needs: list[Need]) -> None:
    assert list(parse_needs(text)) == needs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "'': '' is no resource such as 'deployments.apps' or 'pods/eviction'", id="empty"),
        pytest.param("get, list pods", "'get, list pods': 'get, list' are no verbs separated by commas", id="space"),
        pytest.param("Get pods", "'Get pods': 'Get' are no verbs separated by commas", id="capital-verb"),
        pytest.param(
            "get Pod", "'get Pod': 'Pod' is no resource such as 'deployments.apps' or 'pods/eviction'", id="kind"
        ),
        pytest.param(
            "get pods/a/b",
            "'get pods/a/b': 'pods/a/b' is no resource such as 'deployments.apps' or 'pods/eviction'",
            id="two-subresources",
        ),
        pytest.param("/metrics", "'/metrics': a path is declared as 'get /metrics'", id="path-without-verb"),
        pytest.param("get /a?b", "'get /a?b': a path is declared as 'get /metrics'", id="query"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parse_needs(text)


@given(NEEDS)
def test_what_is_declared_is_read_back(need: Need) -> None:
    assert parse_needs(need.declared) == (need,)


@pytest.mark.parametrize(
    ("need", "command", "asked"),
    [
        pytest.param(
            Need("patch", "pods", subresource="status"),
            "patch pods --subresource=status -A",
            {"resourceAttributes": {"verb": "patch", "resource": "pods", "subresource": "status"}},
            id="subresource",
        ),
        pytest.param(
            Need("get", "deployments", group="apps", namespace="x"),
            "get deployments.apps -n x",
            {"resourceAttributes": {"verb": "get", "group": "apps", "resource": "deployments", "namespace": "x"}},
            id="group-and-namespace",
        ),
        pytest.param(
            Need("get", "/metrics"),
            "get /metrics",
            {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}},
            id="path",
        ),
    ],
)
def test_permission_is_shown_for_kubectl_and_asked_of_the_server(
    need: Need, command: str, asked: dict[str, dict[str, str]]
) -> None:
    assert (str(need), _attributes(need)) == (command, asked)
