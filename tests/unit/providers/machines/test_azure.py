"""Azure's settings: what a config may say, and what is never opened to everybody."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from providers import registry
from providers.contracts import ClusterSpec
from providers.machines.azure_resources import machine_body, rules_body
from providers.machines.azure_settings import AzureSettings
from providers.machines.marks import mark_of
from providers.machines.places import Place

LEAST = {"subscription": "00000000-0000-4000-8000-000000000001", "location": "westeurope"}
MARK = mark_of("ci-x-20260101000000", "me@here", 1_800_000_000)


def settings(**section: Any) -> AzureSettings:
    return AzureSettings.model_validate({**LEAST, **section})


@pytest.mark.parametrize(
    ("section", "told"),
    [
        pytest.param({"zones": ["1", "1"]}, "a zone stands there twice", id="twice"),
        pytest.param({"zones": ["westeurope-1"]}, "should match pattern", id="zone"),
        pytest.param({"runner_cidr": "0.0.0.0/0"}, "SSH is never opened to everybody", id="everybody"),
        pytest.param({"machine_types": []}, "at least 1 item", id="no type"),
        pytest.param({"subscription": "mine"}, "should match pattern", id="subscription"),
        pytest.param({"image": "Canonical:ubuntu-24_04-lts:server"}, "should match pattern", id="image"),
        pytest.param({"image": "a:b:c:d/../e"}, "should match pattern", id="path in an image"),
        pytest.param({"disk": 5}, "Extra inputs are not permitted", id="unknown key"),
    ],
)
def test_what_cannot_be_is_refused(section: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(**section)


def test_only_the_runner_and_the_machines_are_let_in() -> None:
    body = rules_body(settings(), MARK, runner_cidr="192.0.2.7/32", pod_cidr="10.244.0.0/16")
    rules = {rule["name"]: rule["properties"] for rule in body["properties"]["securityRules"]}

    assert rules["runner"]["sourceAddressPrefix"] == "192.0.2.7/32"
    assert rules["nodes"]["sourceAddressPrefixes"] == ["10.10.0.0/20", "10.244.0.0/16"]
    assert set(rules) == {"runner", "nodes"}


@pytest.mark.parametrize(
    ("section", "place", "shown"),
    [
        pytest.param({}, Place("westeurope", "Standard_D4s_v5"), (None, None), id="anywhere"),
        pytest.param({"zones": ["2"]}, Place("2", "Standard_D4s_v5"), (["2"], None), id="zone"),
        pytest.param({"spot": True}, Place("westeurope", "Standard_D4s_v5"), (None, "Deallocate"), id="spot"),
    ],
)
def test_a_machine_says_where_it_is_and_what_becomes_of_it(
    section: dict[str, Any], place: Place, shown: tuple[Any, Any]
) -> None:
    body = machine_body(settings(**section), MARK, "w1", place, public_key="ssh-ed25519 AAAA")

    assert (body.get("zones"), body["properties"].get("evictionPolicy")) == shown
    assert body["tags"] == {"e2e-run": MARK.slug, "e2e-owner": "me-here", "e2e-expires": "1800000000"}


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        pytest.param(ClusterSpec(), {}, id="well"),
        pytest.param(ClusterSpec(network="routes"), {"network"}, id="routes"),
        pytest.param(ClusterSpec(pod_cidr="10.10.0.0/16"), {"pod_cidr"}, id="pods"),
        pytest.param(ClusterSpec(service_cidr="10.0.0.0/8"), {"service_cidr"}, id="services"),
    ],
)
def test_clusters_that_cannot_be_are_refused_by_check(spec: ClusterSpec, refused: set[str]) -> None:
    provider: Any = registry.make_provider("azure", dict(LEAST))

    assert set(provider.refusals(spec)) == set(refused)
