"""``e2e check --online`` against the fake: everything that is amiss, what mends it, and that nothing is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clouds.computer import Here, compute, here, sdk
from tests.support.clouds.gce import PROJECT, Call, Compute, Said

__all__ = ["compute", "here", "sdk"]

READING = ("get", "getFromFamily", "list", "testIamPermissions")


def lines(here: Here) -> tuple[int, list[str]]:
    done = here.e2e("check", "--online", here.config)
    code = getattr(done.exception, "exit_code", getattr(done.exception, "code", done.return_value)) or 0
    return int(code), [line.strip().removeprefix(f"{here.config}: ") for line in done.stdout.splitlines()]


def test_a_config_that_would_do_is_told_what_was_looked_at(compute: Compute, here: Here) -> None:
    found = lines(here)

    assert found == (
        0,
        [
            f"ok    credentials: found by the SDK's chain; project {PROJECT} answers",
            "ok    region: europe-west1: europe-west1-b, europe-west1-c, europe-west1-d",
            "ok    permissions: all 14 that a run asks for",
            "ok    image: ubuntu-2404-noble-amd64-v20261101",
            "ok    machine type: e2-standard-4 is in europe-west1-b, europe-west1-c, europe-west1-d",
            "ok    quota of processors: 12 of CPUS for e2-standard-4",
            "ok    quotas: 3 of INSTANCES, 3 of IN_USE_ADDRESSES, 150 of SSD_TOTAL_GB",
            f"ok    store: {here.store} can be written",
            "3 machines for at most 0.2 h are 0.6 machine-hours",
        ],
    )
    assert compute.names() == []
    assert [call.id for call in compute.calls if call.id.rpartition(".")[2] not in READING] == []
    assert not here.store.exists()


def on(call: str, said: Said) -> Callable[[Call], Any]:
    return lambda asked: said if asked.id == f"compute.{call}" else None


OFF = Said(403, "accessNotConfigured", "Compute Engine API has not been used")
STRANGE = "projects/ubuntu-os-cloud/global/images/family/ubuntu-9999-lts-amd64"


@pytest.mark.parametrize(
    ("provider", "state", "said", "mend"),
    [
        pytest.param(
            {"region": "europe-wset1"},
            {},
            "place: GCE has no region 'europe-wset1', did you mean 'europe-west1'?",
            "gcloud compute regions list",
            id="region",
        ),
        pytest.param({}, {"faults": [on("zones.list", OFF)]}, "has not been used", "gcloud services enable", id="API"),
        pytest.param(
            {},
            {"faults": [on("zones.list", Said(401, "authError", "Invalid Credentials"))]},
            "access: listing zones: Google Cloud refuses the credentials",
            "gcloud auth application-default login",
            id="expired",
        ),
        pytest.param(
            {"project": "another-project"},
            {},
            "projects/another-project' was not found",
            "gcloud projects list",
            id="project",
        ),
        pytest.param(
            {},
            {"denied": {"compute.networks.create", "compute.instances.delete"}},
            f"permissions: lacking on {PROJECT}: compute.instances.delete, compute.networks.create",
            f"gcloud projects add-iam-policy-binding {PROJECT}",
            id="permissions",
        ),
        pytest.param({"image": STRANGE}, {}, f"image: there is no {STRANGE}", "gcloud compute images list", id="image"),
        pytest.param(
            {"machine_types": ["e2-standrad-4"]},
            {},
            "machine type: e2-standrad-4 is in none of europe-west1-b, europe-west1-c, europe-west1-d",
            "gcloud compute machine-types list",
            id="machine type",
        ),
        pytest.param(
            {},
            {"quotas": {"CPUS": 8.0, "INSTANCES": 100.0}},
            "quota of processors: e2-standard-4 needs 12 of CPUS, free are 8",
            "gcloud compute regions describe europe-west1",
            id="processors",
        ),
        pytest.param(
            {"machine_types": ["e2-standard-4", "e2-standard-2"]},
            {"quotas": {"CPUS": 8.0, "INSTANCES": 2.0, "IN_USE_ADDRESSES": 0.0}},
            "quotas: INSTANCES: needed 3, free 2; IN_USE_ADDRESSES: needed 3, free 0",
            "gcloud compute regions describe europe-west1",
            id="quota 0",
        ),
        pytest.param(
            {"network": "ours", "subnetwork": "sub"},
            {},
            "network: ours has no subnetwork sub in europe-west1",
            "gcloud compute networks subnets list --network ours",
            id="network",
        ),
    ],
)
def test_what_is_amiss_fails_the_check_with_what_mends_it(
    provider: dict[str, Any], state: dict[str, Any], said: str, mend: str, compute: Compute, here: Here
) -> None:
    here.write_config(**provider)
    for name, value in state.items():
        setattr(compute, name, value)

    code, told = lines(here)

    assert here.e2e("check", "--online", here.config).stderr.endswith("nothing wrong in it, 1 online check failed\n")
    (failed,) = (index for index, line in enumerate(told) if line.startswith("fail"))
    assert code == 2
    assert said in told[failed]
    assert told[failed + 1].startswith(f"try: {mend}")
    assert compute.names() == []


def test_without_credentials_the_chain_is_named(compute: Compute, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("HOME", str(here.folder))
    monkeypatch.delenv("CLOUDSDK_CONFIG", raising=False)

    code, told = lines(here)

    assert (code, compute.calls) == (2, [])
    assert told[0].startswith(
        "fail  access: no credentials for Google Cloud; tried GOOGLE_APPLICATION_CREDENTIALS, gcl"
    )
    assert told[1] == "try: gcloud auth application-default login"


def test_that_permissions_are_not_known_fails_nothing(compute: Compute, here: Here) -> None:
    off = Said(403, "forbidden", "Cloud Resource Manager API has not been used")
    compute.faults = [lambda call: off if call.id.endswith("testIamPermissions") else None]

    code, told = lines(here)

    assert code == 0
    assert any(line.startswith("ok    permissions: not known: ") for line in told)
    assert f"try: gcloud services enable cloudresourcemanager.googleapis.com --project {PROJECT}" in told
