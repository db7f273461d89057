"""What ``check --online`` looks at in Azure: everything that is amiss, what mends it, and that nothing is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import ClusterSpec, Deadline
from providers.lookout import Looked, Lookout
from providers.machines.azure import AzureMachines
from providers.machines.azure_preflight import ACTIONS
from providers.machines.azure_settings import AzureSettings
from tests.support.clouds.azure import Arm
from tests.support.clouds.azure_server import serving
from tests.support.clouds.azure_subscription import SUBSCRIPTION

SPEC = ClusterSpec(control_planes=1, nodes=2)
ENDPOINT = "E2E_AZURE_ENDPOINT"


@pytest.fixture(scope="session", autouse=True)
def sdk() -> None:
    """Import the SDKs before any deadline runs."""
    import azure.identity
    import azure.mgmt.compute
    import azure.mgmt.network
    import azure.mgmt.resource.resources  # noqa: F401


@pytest.fixture
def arm() -> Arm:
    return Arm()


@pytest.fixture
def variables(arm: Arm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    with serving(arm, tmp_path) as where:
        for name, value in where.variables.items():
            monkeypatch.setenv(name, value)
        yield {ENDPOINT: where.address}


def look(variables: dict[str, str], **changes: Any) -> list[Looked]:
    section = {"subscription": SUBSCRIPTION, "location": "westeurope", **changes}
    maker = AzureMachines(AzureSettings.model_validate(section))
    return list(maker.preflight(SPEC, Lookout(Deadline.after(60.0, "looking"), variables)))


def test_a_config_that_would_do_is_told_what_was_looked_at(arm: Arm, variables: dict[str, str]) -> None:
    found = look(variables)

    assert [(each.name, each.said, each.mend) for each in found] == [
        ("credentials", f"found by the SDK's chain; subscription {SUBSCRIPTION} answers", ""),
        ("location", "westeurope", ""),
        ("resource provider", "Microsoft.Compute: Registered", ""),
        ("resource provider", "Microsoft.Network: Registered", ""),
        ("permissions", f"all {len(ACTIONS)} that a run asks for", ""),
        ("image", "Canonical:ubuntu-24_04-lts:server:24.04.202611010", ""),
        ("machine type", "Standard_D4s_v5 is in westeurope", ""),
        ("quota of processors", "12 of cores and standardDSv5Family for Standard_D4s_v5", ""),
        (
            "quotas",
            (
                "3 of virtualMachines, 3 of PublicIPAddresses, 3 of NetworkInterfaces, 1 of VirtualNetworks,"
                " 1 of NetworkSecurityGroups"
            ),
            "",
        ),
    ]
    assert (arm.names(), arm.calls) == ([], [])


@pytest.mark.parametrize(
    ("provider", "state", "said", "mend"),
    [
        pytest.param(
            {"location": "westeuorpe"},
            {},
            "Azure has no location 'westeuorpe', did you mean 'westeurope'?",
            "az account list-locations",
            id="location",
        ),
        pytest.param(
            {"subscription": SUBSCRIPTION.replace("1", "2")},
            {},
            "SubscriptionNotFound",
            "az account list",
            id="subscription",
        ),
        pytest.param(
            {},
            {"unregistered": {"Microsoft.Network"}},
            "Microsoft.Network: NotRegistered",
            "az provider register --namespace Microsoft.Network",
            id="not registered",
        ),
        pytest.param(
            {},
            {"actions": ["*/read", "Microsoft.Compute/*", "microsoft.resources/*"]},
            "lacking: Microsoft.Network/networkInterfaces/join/action, Microsoft.Network/networkInterfaces/write, ",
            "az role assignment create --assignee YOU --role Contributor",
            id="permissions",
        ),
        pytest.param(
            {},
            {"not_actions": ["Microsoft.Resources/subscriptions/resourceGroups/delete"]},
            "lacking: Microsoft.Resources/subscriptions/resourceGroups/delete",
            "az role assignment create",
            id="taken out",
        ),
        pytest.param(
            {"image": "Canonical:ubuntu-24_04-lts:sever:latest"},
            {},
            "there is no Canonical:ubuntu-24_04-lts:sever:latest in westeurope",
            "az vm image list --location westeurope --publisher Canonical",
            id="image",
        ),
        pytest.param(
            {"image": "Canonical:ubuntu-24_04-lts:server:24.04.1"},
            {},
            "there is no Canonical:ubuntu-24_04-lts:server:24.04.1",
            "az vm image list",
            id="image version",
        ),
        pytest.param(
            {"machine_types": ["Standard_D4s_v9", "Standard_D4s_v5"]},
            {},
            "Standard_D4s_v9 is not in westeurope",
            "az vm list-skus --location westeurope",
            id="size",
        ),
        pytest.param(
            {},
            {"restricted": {"Standard_D4s_v5": []}},
            "Standard_D4s_v5 is in westeurope, but not for this subscription",
            "az vm list-skus",
            id="size restricted",
        ),
        pytest.param(
            {"zones": ["1", "2"]},
            {"restricted": {"Standard_D4s_v5": ["1", "2"]}},
            "Standard_D4s_v5 is not in zone 1 or 2 of westeurope",
            "az vm list-skus",
            id="zones",
        ),
        pytest.param(
            {},
            {"free": {"cores": 100, "standardDSv5Family": 8}},
            "Standard_D4s_v5 needs 12 of standardDSv5Family, free are 8",
            "az vm list-usages --location westeurope",
            id="cores",
        ),
        pytest.param(
            {"spot": True},
            {"free": {"lowPriorityCores": 0}},
            "Standard_D4s_v5 needs 12 of lowPriorityCores, free are 0",
            "az vm list-usages",
            id="spot cores",
        ),
        pytest.param(
            {},
            {"free": {"PublicIPAddresses": 0, "VirtualNetworks": 0}},
            "PublicIPAddresses: needed 3, free 0; VirtualNetworks: needed 1, free 0",
            "az network list-usages",
            id="quota 0",
        ),
    ],
)
def test_what_is_amiss_fails_a_check_with_what_mends_it(
    provider: dict[str, Any], state: dict[str, Any], said: str, mend: str, arm: Arm, variables: dict[str, str]
) -> None:
    for name, value in state.items():
        known = getattr(arm.subscription, name)
        setattr(arm.subscription, name, known | value if name == "free" else value)

    (failed,) = (each for each in look(variables, **provider) if not each.is_ok)

    assert (said in failed.said, failed.mend.startswith(mend)) == (True, True), failed
    assert arm.names() == []


def test_a_second_size_with_room_is_enough(arm: Arm, variables: dict[str, str]) -> None:
    arm.subscription.free["cores"] = 6

    found = look(variables, machine_types=["Standard_D4s_v5", "Standard_D2s_v5"])

    quota = next(each for each in found if each.name == "quota of processors")
    assert (quota.is_ok, quota.said) == (True, "6 of cores and standardDSv5Family for Standard_D2s_v5")


def test_expired_credentials_name_the_chain(
    arm: Arm, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "an old one")

    (failed,) = look(variables)

    assert (failed.name, failed.is_ok, failed.mend) == ("access", False, "az login")
    assert "tried AZURE_CLIENT_ID with a secret or certificate" in failed.said
    assert "are expired" in failed.said
    assert arm.subscription.asked == []
