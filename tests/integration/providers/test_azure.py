"""Azure machines by the real SDKs against the contract fake: a whole life, and every fault that comes over the wire."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import ClusterSpec, Context
from providers.lookout import Lookout
from providers.machines import azure_api
from providers.machines.azure import AzureMachines
from providers.machines.azure_settings import AzureSettings
from providers.testing import FolderBinaries, make_context
from tests.support.clouds.azure import Arm, Call, Said
from tests.support.clouds.azure_server import Served, serving
from tests.support.clouds.azure_subscription import SUBSCRIPTION
from tests.support.clouds.computer import tries_of
from upload.errors import DeadlineExceeded, HarnessError, ManyErrors, ProviderError, StockoutError, UsageError

SPEC = ClusterSpec(control_planes=1, nodes=2)
SLUG = "ci-kubernetes-e2e-test-20260101000000"
GROUP = f"e2e-{SLUG}-group"
NODES = ("cp1", "w1", "w2")
ALL = sorted(
    [
        f"resourceGroups/{GROUP}",
        f"virtualNetworks/e2e-{SLUG}-net",
        f"networkSecurityGroups/e2e-{SLUG}-rules",
        *(f"disks/e2e-{SLUG}-{node}_disk" for node in NODES),
        *(f"{kind}/e2e-{SLUG}-{node}" for node in NODES for kind in ("networkInterfaces", "publicIPAddresses")),
        *(f"virtualMachines/e2e-{SLUG}-{node}" for node in NODES),
    ]
)


def import_sdk() -> None:
    """Import the SDKs before any deadline runs: it takes seconds, and far more when they were just installed."""
    import azure.identity
    import azure.mgmt.compute
    import azure.mgmt.network
    import azure.mgmt.resource.resources  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def sdk() -> None:
    import_sdk()


@pytest.fixture
def arm() -> Arm:
    return Arm()


@pytest.fixture
def served(arm: Arm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The fake, where the SDKs' own chain of credentials and their own check of certificates lead to it."""
    with serving(arm, tmp_path) as where:
        for name, value in where.variables.items():
            monkeypatch.setenv(name, value)
        yield where


def maker(**changes: Any) -> AzureMachines:
    section = {"subscription": SUBSCRIPTION, "location": "westeurope", "runner_cidr": "192.0.2.200/32", **changes}
    return AzureMachines(AzureSettings.model_validate(section), ready=lambda _reach, _ctx: None)


@dataclass
class Contexts:
    folder: Path
    endpoint: str

    def __call__(self, name: str = "c1", *, seconds: float = 30.0, run: str = "") -> Context:
        made = make_context(self.folder / name, FolderBinaries(self.folder, "v1.36.3"), seconds=seconds)
        return replace(made, variables={"E2E_AZURE_ENDPOINT": self.endpoint}, run=run or made.run)


@pytest.fixture
def context(tmp_path: Path, served: Served) -> Contexts:
    return Contexts(tmp_path, served.address)


def on(call: str, what: Said | dict[str, Any], *, times: int = 10**6, **where: Any) -> Callable[[Call], Any]:
    """Return a fault of one call, for the first few times and where the body has these fields."""
    left = [times]

    def fault(asked: Call) -> Any:
        if asked.id != call or left[0] <= 0:
            return None
        if any((asked.body or {}).get(key) != value for key, value in where.items()):
            return None
        left[0] -= 1
        return what

    return fault


FULL = {"error": {"code": "ZonalAllocationFailed", "message": "We do not have sufficient capacity in this zone."}}
NO_SIZE = Said(409, "SkuNotAvailable", "The requested VM size is currently not available in location 'westeurope'.")


def test_a_whole_life(arm: Arm, context: Contexts) -> None:
    arm.lists_lag_s = 0.5
    ctx = context()

    machines = maker().ensure(SPEC, ctx)

    assert [(m.name, m.role) for m in machines] == [("cp1", "control-plane"), ("w1", "worker"), ("w2", "worker")]
    assert all(m.endpoint.host.startswith("192.0.2.") and m.address.startswith("10.0.0.") for m in machines)
    assert arm.names() == ALL
    runner = next(c.body for c in arm.calls if c.id == "create.networkSecurityGroups")["properties"]["securityRules"][0]
    opened = runner["properties"]
    assert (opened["sourceAddressPrefix"], opened["destinationPortRanges"][0]) == ("192.0.2.200/32", "22")
    assert maker().ensure(SPEC, ctx) == machines
    assert (arm.count("create.virtualMachines"), arm.count("create.networkInterfaces")) == (3, 3)
    maker().delete(ctx)
    assert arm.names() == []
    assert maker().leftovers(ctx) == ()


def test_machines_are_made_beside_each_other_and_removed_by_one_call(arm: Arm, context: Contexts) -> None:
    arm.operation_s = 0.5
    ctx = context()

    maker().ensure(SPEC, ctx)
    maker().delete(ctx)

    for call in ("create.virtualMachines", "create.networkInterfaces", "create.publicIPAddresses"):
        begun = [c.at for c in arm.calls if c.id == call]
        assert (len(begun), max(begun) - min(begun) < 0.5) == (3, True)
    assert [c.id for c in arm.calls if c.id.startswith("delete.")] == ["delete.resourceGroups"]


def test_without_the_folder_the_marks_are_enough(arm: Arm, context: Contexts) -> None:
    maker().ensure(SPEC, context())

    maker().delete(context("another computer"))

    assert arm.names() == []


def test_two_runs_at_once_leave_each_other_alone(arm: Arm, context: Contexts) -> None:
    maker().ensure(SPEC, context("a", run="ci-kubernetes-e2e-a-20260101000000"))
    other = context("b", run="ci-kubernetes-e2e-a-20260101000001")
    maker().ensure(SPEC, other)

    maker().delete(other)

    assert len(arm.names()) == len(ALL)
    assert all("-20260101000000-" in name for name in arm.names())


def test_what_any_run_left_is_found_and_only_what_is_wanted_is_removed(arm: Arm, context: Contexts) -> None:
    old, new = (context(day, run=f"ci-kubernetes-e2e-{day}-20260101000000") for day in ("old", "new"))
    maker().ensure(SPEC, old)
    maker().ensure(SPEC, replace(new, expires_s=old.expires_s + 1))
    arm.add("e2e-mine", "resourceGroups", "", tags={"e2e-run": "somebody's", "e2e-expires": "1"})
    look = Lookout(old.deadline, old.variables)

    found = maker().marked(look)
    maker().remove_marked(lambda each: each.expires_s <= old.expires_s, look)

    assert [each.resource.name for each in found] == [
        f"e2e-ci-kubernetes-e2e-{d}-20260101000000-group" for d in ("new", "old")
    ]
    assert len(arm.names()) == len(ALL) + 1
    assert [each.run for each in maker().marked(look)] == ["ci-kubernetes-e2e-new-20260101000000"]


def test_what_others_put_into_the_group_keeps_all_of_it_there(arm: Arm, context: Contexts) -> None:
    maker().ensure(SPEC, context())
    arm.add(GROUP, "disks", "somebodys-data")

    with pytest.raises(
        ProviderError, match=r"holds what has no mark of this run: Microsoft\.Compute/disks somebodys-data"
    ):
        maker().delete(context())

    assert arm.names() == sorted([*ALL, "disks/somebodys-data"])
    assert len(maker().leftovers(context())) == len(ALL) + 1


def test_a_group_of_our_name_without_our_mark_is_left_alone(arm: Arm, context: Contexts) -> None:
    arm.add(GROUP, "resourceGroups", "", tags={"e2e-run": "another", "e2e-expires": "1"})

    with pytest.raises(ProviderError, match="without this run's mark: it is left alone"):
        maker().ensure(SPEC, context())
    maker().delete(context())

    assert arm.names() == [f"resourceGroups/{GROUP}"]


def test_no_room_leads_to_the_next_zone_and_then_the_next_size(arm: Arm, context: Contexts) -> None:
    full = on("create.virtualMachines", FULL, zones=["1"])
    arm.faults = [full, on("create.virtualMachines", NO_SIZE, zones=["2"], times=3)]
    ctx = context()

    machines = maker(zones=["1", "2"], machine_types=["Standard_D2s_v5", "Standard_D4as_v5"]).ensure(SPEC, ctx)

    assert len(machines) == 3
    steps: Any = ctx.steps
    assert steps.notes[1].startswith("Standard_D2s_v5 in 1: no room for")
    assert steps.notes[1].endswith("; next: Standard_D2s_v5 in 2")
    assert arm.names() == ALL


@pytest.mark.parametrize(
    ("cores", "fault", "told"),
    [
        pytest.param(0, None, "OperationNotAllowed: Operation could not be completed as it results", id="quota 0"),
        pytest.param(100, FULL, "ZonalAllocationFailed: We do not have sufficient capacity", id="stock-out"),
        pytest.param(100, NO_SIZE, "SkuNotAvailable: The requested VM size is", id="refused at once"),
        pytest.param(100, Said(409, "QuotaExceeded", "No more."), "QuotaExceeded: No more. (request req", id="quota"),
    ],
)
def test_every_place_without_room_is_named(cores: int, fault: Any, told: str, arm: Arm, context: Contexts) -> None:
    arm.cores = cores
    arm.faults = [on("create.virtualMachines", fault)] if fault else []

    with pytest.raises(StockoutError) as caught:
        maker(zones=["1", "3"]).ensure(SPEC, context())

    assert told in str(caught.value)
    assert [f"Standard_D4s_v5 in {zone}: " in str(caught.value) for zone in "13"] == [True] * 2
    assert arm.names("virtualMachines") == []
    maker().delete(context())
    assert arm.names() == []


@pytest.mark.parametrize(
    ("changes", "fault", "kind", "told", "hint"),
    [
        pytest.param(
            {"location": "westeuropa"}, None, UsageError, "did you mean 'westeurope'?", "list-locations", id="location"
        ),
        pytest.param(
            {"subscription": "11111111-0000-4000-8000-000000000001"},
            None,
            UsageError,
            "SubscriptionNotFound",
            "az account list",
            id="subscription",
        ),
        pytest.param(
            {},
            Said(409, "MissingSubscriptionRegistration", "not registered to use namespace 'Microsoft.Network'"),
            ProviderError,
            "not registered",
            "az provider register --namespace Microsoft.Network",
            id="provider not registered",
        ),
        pytest.param(
            {},
            Said(403, "AuthorizationFailed", "The client does not have authorization to perform action 'write'."),
            ProviderError,
            "AuthorizationFailed: The client does not have authorization",
            "az role assignment list",
            id="permission",
        ),
        pytest.param(
            {},
            Said(401, "ExpiredAuthenticationToken", "The access token expiry is in the past."),
            ProviderError,
            "no credentials that Azure takes",
            "az login",
            id="expired",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_made(
    changes: dict[str, Any], fault: Any, kind: type[HarnessError], told: str, hint: str, arm: Arm, context: Contexts
) -> None:
    arm.faults = [on("create.resourceGroups", fault)] if fault else []

    with pytest.raises(kind) as caught:
        maker(**changes).ensure(SPEC, context())

    assert told in str(caught.value)
    assert hint in caught.value.hint
    assert arm.names() == []


@pytest.mark.parametrize(
    ("secret", "told", "hint"),
    [
        pytest.param(None, "tried AZURE_CLIENT_ID with a secret or certificate", "az login", id="none"),
        pytest.param("old", "AADSTS7000222: The provided client secret keys", "az login", id="expired"),
        pytest.param("", "secret should be a Microsoft Entra application's", "env | grep AZURE_", id="empty"),
    ],
)
def test_without_credentials_the_chain_is_named(
    secret: str | None, told: str, hint: str, context: Contexts, monkeypatch: pytest.MonkeyPatch, arm: Arm
) -> None:
    monkeypatch.delenv("AZURE_CLIENT_SECRET")
    if secret is not None:
        monkeypatch.setenv("AZURE_CLIENT_SECRET", secret)

    with pytest.raises(UsageError) as caught:
        maker().ensure(SPEC, context())

    assert told in str(caught.value)
    assert caught.value.hint == hint
    assert arm.calls == []


def test_throttling_is_waited_out_as_long_as_the_service_says(arm: Arm, context: Contexts) -> None:
    slow = Said(429, "TooManyRequests", "Too many requests.", {"Retry-After": "1"})
    arm.faults = [on("create.virtualMachines", slow, times=3), on("poll.operations", slow, times=1)]

    maker().ensure(SPEC, context())

    begun = [c.at for c in arm.calls if c.id == "create.virtualMachines"]
    assert arm.names() == ALL
    assert max(begun) - min(begun) >= 1.0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            on("create.virtualNetworks", Said(404, "ResourceGroupNotFound", "not yet"), times=1), id="group is late"
        ),
        pytest.param(
            on("create.networkInterfaces", Said(400, "InvalidResourceReference", "not yet"), times=1),
            id="subnet is late",
        ),
        pytest.param(on("create.virtualMachines", Said(409, "AnotherOperationInProgress", "wait"), times=1), id="busy"),
        pytest.param(on("create.virtualMachines", Said(503, "ServerTimeout", "again"), times=1), id="server"),
    ],
)
def test_what_passes_is_tried_again(fault: Any, arm: Arm, context: Contexts) -> None:
    arm.faults = [fault]

    maker().ensure(SPEC, context())

    assert arm.names() == ALL


def test_an_operation_that_never_ends_meets_the_deadline_and_is_named(arm: Arm, context: Contexts) -> None:
    arm.faults = [on("create.virtualNetworks", {"takes_s": 1e6})]

    with pytest.raises(DeadlineExceeded, match=r"creating virtual network e2e-.*-net was not done"):
        maker().ensure(SPEC, context(seconds=2))


def test_one_machine_of_three_fails_in_the_words_of_the_service(arm: Arm, context: Contexts) -> None:
    wrong = {"error": {"code": "OSProvisioningTimedOut", "message": "OS Provisioning did not finish in time."}}
    arm.faults = [on("create.virtualMachines", wrong, times=1)]

    with pytest.raises(ManyErrors, match=r"OSProvisioningTimedOut: OS Provisioning did not .* \(request request-\d+"):
        maker().ensure(SPEC, context())

    arm.faults = []
    assert len(maker().ensure(SPEC, context())) == 3  # what failed is made anew, what is there is kept
    assert arm.count("create.virtualMachines") == 4
    maker().delete(context())
    assert arm.names() == []


def test_a_machine_that_was_taken_away_is_an_error_of_the_provider(arm: Arm, context: Contexts) -> None:
    maker(spot=True).ensure(SPEC, context())
    arm.stopped.add(f"e2e-{SLUG}-w2")

    with pytest.raises(ProviderError, match="w2 is deallocated") as caught:
        maker(spot=True).ensure(SPEC, context())

    assert "spot machines may be taken away" in str(caught.value.hint)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Said(409, "AnotherOperationInProgress", "in use"), id="at once"),
        pytest.param({"error": {"code": "ResourceGroupDeletionBlocked", "message": "in use"}}, id="later"),
        pytest.param(Said(503, "ServerTimeout", "again"), id="server"),
    ],
)
def test_a_delete_that_fails_for_a_while_is_tried_again(fault: Any, arm: Arm, context: Contexts) -> None:
    maker().ensure(SPEC, context())
    arm.faults = [on("delete.resourceGroups", fault, times=2)]

    maker().delete(context())

    assert arm.names() == []


def test_a_delete_that_fails_for_ten_minutes_is_tried_as_long(
    arm: Arm, context: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = tries_of(600.0, first_s=azure_api._PAUSE_S, longest_s=azure_api._LONGEST_PAUSE_S)
    for name in ("_PAUSE_S", "_LONGEST_PAUSE_S"):
        monkeypatch.setattr(azure_api, name, getattr(azure_api, name) / 1000)
    maker().ensure(SPEC, context())
    arm.faults = [on("delete.resourceGroups", Said(409, "AnotherOperationInProgress", "in use"), times=tries)]

    maker().delete(context(seconds=120))

    assert (arm.names(), arm.count("delete.resourceGroups")) == ([], tries + 1)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param("ScopeLocked", "ScopeLocked: locked by an administrator", id="for good"),
        pytest.param("ResourceGroupDeletionBlocked", "ResourceGroupDeletionBlocked: locked", id="until the deadline"),
    ],
)
def test_a_delete_that_fails_for_ever_is_told_and_what_is_left_has_a_name(
    code: str, told: str, arm: Arm, context: Contexts
) -> None:
    maker().ensure(SPEC, context())
    arm.faults = [on("delete.resourceGroups", Said(409, code, "locked by an administrator"))]

    with pytest.raises(ProviderError, match=told):
        maker().delete(context(seconds=4))

    assert maker().leftovers(context())[0].name == GROUP


CHILD = """
import sys
from pathlib import Path
from tests.integration.providers.test_azure import Contexts, SPEC, import_sdk, maker
import_sdk()
context = Contexts(Path(sys.argv[1]), sys.argv[2])(seconds=120)
getattr(maker(), sys.argv[3])(*([SPEC] if sys.argv[3] == "ensure" else []), context)
"""


@pytest.mark.slow  # each child imports the SDKs
@pytest.mark.parametrize("kept", [True, False], ids=["continued", "down without state"])
@pytest.mark.parametrize(
    "phase",
    [
        "create.virtualMachines",
        *(
            pytest.param(phase, marks=pytest.mark.full)
            for phase in (
                "create.resourceGroups",
                "create.virtualNetworks",
                "create.networkInterfaces",
                "delete.resourceGroups",
            )
        ),
    ],
)
def test_killed_in_a_phase(phase: str, kept: bool, arm: Arm, context: Contexts, tmp_path: Path) -> None:
    arm.operation_s = 0.4
    verb = "delete" if phase.startswith("delete") else "ensure"
    if verb == "delete":
        maker().ensure(SPEC, context())
    before = len(arm.calls)
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(tmp_path), context.endpoint, verb],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    until = time.monotonic() + 100
    while not (seen := any(c.id == phase for c in arm.calls[before:])) and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert (child.wait(10), seen) == (-signal.SIGKILL, True)

    if kept and verb == "ensure":
        maker().ensure(SPEC, context())
        assert arm.names() == ALL
    maker().delete(context("c1" if kept else "elsewhere"))

    assert arm.names() == []


def test_several_control_planes_have_one_address(arm: Arm, context: Contexts) -> None:
    spec, ctx, machines = ClusterSpec(control_planes=3, nodes=1), context(), maker()
    made = machines.ensure(spec, ctx)

    address = machines.balance(["cp1"], spec, ctx)
    first = behind(arm)
    again = machines.balance(["cp1", "cp2", "cp3"], spec, ctx)

    assert (address == again, first, behind(arm)) == (True, ["cp1"], ["cp1", "cp2", "cp3"])
    assert address not in [machine.endpoint.host for machine in made]
    assert arm.count("create.loadBalancers") == 1
    rules = [c.body for c in arm.calls if c.id == "create.networkSecurityGroups"][-1]["properties"]["securityRules"]
    opened = {rule["name"]: rule["properties"] for rule in rules}
    assert opened["peers"]["sourceAddressPrefixes"] == sorted(machine.endpoint.host for machine in made)
    assert opened["peers"]["destinationPortRange"] == "6443"
    assert machines.ensure(spec, ctx) == made, "what stands behind it stays as it is"
    machines.delete(ctx)
    assert arm.names() == []


def behind(arm: Arm) -> list[str]:
    """Return the machines that the load balancer hands on to."""
    links = [shown for (_, kind, _), shown in arm.resources.items() if kind == "networkInterfaces"]
    pools = [(each["name"], each["properties"]["ipConfigurations"][0]["properties"]) for each in links]
    return sorted(name.rpartition("-")[2] for name, ip in pools if ip.get("loadBalancerBackendAddressPools"))


def test_what_befell_machines_is_told(arm: Arm, context: Contexts) -> None:
    machines = maker(spot=True)
    machines.ensure(SPEC, context())
    before = machines.losses(context())
    arm.stopped.add(f"e2e-{SLUG}-w1")
    arm._drop((GROUP, "virtualMachines", f"e2e-{SLUG}-w2"))

    assert before == {}
    because = "in Azure; spot machines may be taken away at any time: run again"
    assert machines.losses(context()) == {"w1": f"it is deallocated {because}", "w2": f"it is gone {because}"}


def test_what_machines_wrote_to_their_consoles_is_kept(
    arm: Arm, context: Contexts, caplog: pytest.LogCaptureFixture
) -> None:
    machines = maker()
    nothing = machines.consoles(context())
    machines.ensure(SPEC, context())
    arm.faults = [on("console.virtualMachines", Said(409, "Conflict", "not now"), times=1)]

    saved = machines.consoles(context())

    assert nothing == {}
    said = {node: path.read_text() for node, path in saved.items()}
    assert len(said) == 2
    assert said == {node: f"[    0.000000] Linux version of e2e-{SLUG}-{node}\n" for node in said}
    assert "signature-" not in caplog.text


def test_a_signed_address_stands_in_no_error(arm: Arm, context: Contexts, monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = context()
    maker().ensure(SPEC, ctx)
    monkeypatch.setattr(arm, "read_console", lambda _name, _signature: None)
    api = maker()._api(ctx)

    with pytest.raises(ProviderError) as caught:
        api.console(GROUP, f"e2e-{SLUG}-w1")

    said = str(caught.value)
    del caught
    gc.collect()  # a connection that was left open is a warning, which is an error
    assert ("signature" in said, said.endswith("of the storage")) == (False, True)
