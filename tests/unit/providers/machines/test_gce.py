"""GCE's settings and bodies: what a config may say, and that Google's own description knows what we send."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from providers import registry
from providers.contracts import ClusterSpec
from providers.machines.gce_resources import firewall_bodies, instance_body, network_body, subnetwork_body
from providers.machines.gce_settings import GceSettings
from providers.machines.marks import mark_of
from providers.machines.places import Place
from tests.support.clouds.discovery import check_value

LEAST = {"project": "example-project", "region": "europe-west1"}
MARK = mark_of("ci-x-20260101000000", "me@here", 1_800_000_000)


def settings(**section: Any) -> GceSettings:
    return GceSettings.model_validate({**LEAST, **section})


@pytest.mark.parametrize("changes", [{}, {"spot": True}, {"network": "shared", "subnetwork": "west"}], ids=str)
def test_bodies_are_what_google_describes(changes: dict[str, Any]) -> None:
    made = settings(**changes)
    place = Place("europe-west1-b", "e2-standard-4")

    check_value(network_body(MARK), {"$ref": "Network"}, "network")
    check_value(subnetwork_body(made, MARK), {"$ref": "Subnetwork"}, "subnetwork")
    for body in firewall_bodies(made, MARK, runner_cidr="192.0.2.7/32", pod_cidr="10.244.0.0/16"):
        check_value(body, {"$ref": "Firewall"}, "firewall")
        assert "0.0.0.0/0" not in body["sourceRanges"]
    check_value(
        instance_body(made, MARK, MARK.name("w1"), place, public_key="ssh-ed25519 AAAA"),
        {"$ref": "Instance"},
        "instance",
    )


@pytest.mark.parametrize(
    ("section", "told"),
    [
        pytest.param({"zones": ["us-central1-a"]}, "zone us-central1-a is not in region europe-west1", id="zone"),
        pytest.param({"zones": ["europe-west1-b"] * 2}, "a zone stands there twice", id="twice"),
        pytest.param({"network": "shared"}, "network and subnetwork stand there both or not at all", id="half"),
        pytest.param({"runner_cidr": "0.0.0.0/0"}, "SSH is never opened to everybody", id="everybody"),
        pytest.param({"machine_types": []}, "at least 1 item", id="no type"),
        pytest.param({"project": "Nope!"}, "should match pattern", id="project"),
        pytest.param({"disk": 5}, "Extra inputs are not permitted", id="unknown key"),
    ],
)
def test_what_cannot_be_is_refused(section: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(**section)


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
    provider: Any = registry.make_provider("gce", dict(LEAST))

    assert set(provider.refusals(spec)) == set(refused)
